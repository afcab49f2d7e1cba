"""SQL of deposits, payouts and attempts.

The ledger has `ledger.store`, operators' decisions have `operators.store`.
"""

from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import LiteralString

from psycopg.errors import UniqueViolation
from psycopg.rows import DictRow

from servicekit.money import Money
from servicekit.pagination import Page
from servicekit.postgres.database import Database
from services.payouts.attempts import Attempt, AttemptState
from services.payouts.domain import Deposit, Payout, State
from workflows.payout.providers import ProviderName

_DEPOSIT: LiteralString = "SELECT * FROM deposit WHERE id = %s"
_PAYOUTS: LiteralString = """
    SELECT p.*, coalesce((SELECT json_agg(a ORDER BY a.number) FROM attempt a
                           WHERE a.payout_id = p.id), '[]') AS attempts
      FROM payout_now p
"""

_OF_ATTEMPTS: LiteralString = "AND p.id IN (SELECT payout_id FROM attempt WHERE state IN "
# Conditions that narrow a list by state, so that the state of few payouts has to be derived. The
# first four use the small index `attempt_under_way`; the others scan attempts, decisions or
# transfers, which is cheap. PAID is the most frequent state: payouts are scanned from the newest,
# and only the last page may derive the states of many (100,000 take some 3 s on two cores).
_CANDIDATES: dict[State, LiteralString] = {
    State.SENDING: _OF_ATTEMPTS + "('SENDING', 'UNKNOWN'))",
    State.SENT: _OF_ATTEMPTS + "('ACCEPTED'))",
    State.UNCLAIMED: _OF_ATTEMPTS + "('UNCLAIMED'))",
    State.BLOCKED: _OF_ATTEMPTS + "('BLOCKED'))",
    State.FAILED: _OF_ATTEMPTS + "('FAILED', 'RETURNED'))",
    State.RESERVED: "AND NOT EXISTS (SELECT FROM attempt WHERE payout_id = p.id)",
    State.RELEASED: "AND p.id IN (SELECT payout_id FROM transfer WHERE kind = 'RELEASE')",
    State.WRITTEN_OFF: "AND p.id IN (SELECT payout_id FROM decision WHERE kind = 'WRITE_OFF')",
    State.PAID: "",
}

_ATTEMPT: LiteralString = """
    SELECT p.id, p.currency, to_json(a) AS attempt
      FROM attempt a JOIN payout p ON p.id = a.payout_id
"""


class PayoutStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    def transaction(self) -> AbstractAsyncContextManager[None]:
        return self._database.transaction()

    async def add_providers(self, names: Iterable[ProviderName]) -> None:
        """Registers provider names, which attempts, decisions and reports refer to. Idempotent."""
        await self._database.execute(
            "INSERT INTO provider SELECT unnest(%s::text[]) ON CONFLICT DO NOTHING", (list(names),)
        )

    async def add_deposit(self, deposit: Deposit) -> None:
        await self._database.execute(
            """
            INSERT INTO deposit (id, brand, currency, amount_minor, create_time)
            VALUES (%s, %s, %s, %s, %s)
            """,
            (
                deposit.id,
                deposit.brand,
                deposit.amount.currency,
                deposit.amount.amount_minor,
                deposit.create_time,
            ),
        )

    async def lock_deposit(self, deposit_id: str) -> Deposit | None:
        row = await self._database.fetch_one(f"{_DEPOSIT} FOR UPDATE", (deposit_id,))
        return _deposit(row) if row else None

    async def confirm_deposit(self, deposit: Deposit, transfer_id: int) -> bool:
        """False if another deposit has the external reference; the transaction is then aborted."""
        try:
            await self._database.execute(
                """
                UPDATE deposit SET external_reference = %s, transfer_id = %s, confirm_time = %s
                 WHERE id = %s
                """,
                (deposit.external_reference, transfer_id, deposit.confirm_time, deposit.id),
            )
        except UniqueViolation:
            return False
        return True

    async def add_payout(
        self, payout_id: str, brand: str, creator: str, amount: Money, now: datetime
    ) -> None:
        await self._database.execute(
            """
            INSERT INTO payout (id, brand, creator, currency, reserved_amount_minor, amount_minor,
                                create_time)
            VALUES (%(id)s, %(brand)s, %(creator)s, %(currency)s, %(minor)s, %(minor)s, %(now)s)
            """,
            {
                "id": payout_id,
                "brand": brand,
                "creator": creator,
                "currency": amount.currency,
                "minor": amount.amount_minor,
                "now": now,
            },
        )

    async def lower_payout(self, payout_id: str, amount: Money) -> None:
        await self._database.execute(
            "UPDATE payout SET amount_minor = %s WHERE id = %s", (amount.amount_minor, payout_id)
        )

    async def get(self, payout_id: str) -> Payout | None:
        row = await self._database.fetch_one(_PAYOUTS + " WHERE p.id = %s", (payout_id,))
        return _payout(row) if row else None

    async def lock(self, payout_id: str) -> Payout | None:
        """Locks the payout until this transaction ends, and reads it."""
        # The row first: the derived state must be read after the previous holder has committed.
        await self._database.fetch_one("SELECT FROM payout WHERE id = %s FOR UPDATE", (payout_id,))
        return await self.get(payout_id)

    async def get_many(self, payout_ids: list[str]) -> dict[str, Payout]:
        rows = await self._database.fetch_all(_PAYOUTS + " WHERE p.id = ANY(%s)", (payout_ids,))
        return {row["id"]: _payout(row) for row in rows}

    async def list_newest(
        self, brand: str | None, creator: str | None, state: State | None, page: Page
    ) -> list[Payout]:
        rows = await self._database.fetch_all(
            _PAYOUTS
            + """
             WHERE (%(state)s::text IS NULL OR p.state = %(state)s)
               AND (%(brand)s::text IS NULL OR p.brand = %(brand)s)
               AND (%(creator)s::text IS NULL OR p.creator = %(creator)s)
               AND (%(time)s::timestamptz IS NULL OR (p.create_time, p.id) < (%(time)s, %(id)s))
            """
            + (_CANDIDATES[state] if state else "")
            + " ORDER BY p.create_time DESC, p.id DESC LIMIT %(size)s",
            {
                "state": state,
                "brand": brand,
                "creator": creator,
                **page.keyset,
            },
        )
        return [_payout(row) for row in rows]

    async def get_attempt(self, payout_id: str, number: int) -> Attempt | None:
        """Reads one attempt, which is cheaper than deriving its payout."""
        row = await self._database.fetch_one(
            _ATTEMPT + " WHERE a.payout_id = %s AND a.number = %s", (payout_id, number)
        )
        return _attempt(row["attempt"], row["currency"]) if row else None

    async def find_attempt(
        self, provider: ProviderName, sender_batch_id: str, provider_batch_id: str
    ) -> tuple[str, Attempt] | None:
        """Finds an attempt and its payout's id, preferably by our id, else by the provider's."""
        row = await self._database.fetch_one(
            _ATTEMPT
            + """
             WHERE a.provider = %(provider)s
               AND (a.sender_batch_id = %(ours)s OR a.provider_batch_id = %(theirs)s)
             ORDER BY a.sender_batch_id = %(ours)s DESC LIMIT 1
            """,
            {"provider": provider, "ours": sender_batch_id, "theirs": provider_batch_id},
        )
        return (row["id"], _attempt(row["attempt"], row["currency"])) if row else None

    async def add_attempt(self, payout_id: str, attempt: Attempt) -> None:
        await self._database.execute(
            """
            INSERT INTO attempt (payout_id, number, state, receiver, amount_minor, provider,
                                 sender_batch_id, create_time, update_time)
            VALUES (%(payout_id)s, %(number)s, %(state)s, %(receiver)s, %(amount_minor)s,
                    %(provider)s, %(sender_batch_id)s, %(now)s, %(now)s)
            """,
            {
                "payout_id": payout_id,
                "number": attempt.number,
                "state": attempt.state,
                "receiver": attempt.receiver,
                "amount_minor": attempt.amount.amount_minor,
                "provider": attempt.provider,
                "sender_batch_id": attempt.sender_batch_id,
                "now": attempt.create_time,
            },
        )

    async def save_attempt(self, payout_id: str, attempt: Attempt, now: datetime) -> None:
        await self._database.execute(
            """
            UPDATE attempt
               SET state = %(state)s, provider_batch_id = %(batch_id)s,
                   provider_item_id = %(item_id)s, provider_state = %(provider_state)s,
                   provider_transaction_id = %(transaction_id)s,
                   error_code = %(error_code)s, fence = %(fence)s,
                   lease_end_time = %(lease_end_time)s, update_time = %(now)s
             WHERE payout_id = %(payout_id)s AND number = %(number)s
            """,
            {
                "payout_id": payout_id,
                "number": attempt.number,
                "state": attempt.state,
                "batch_id": attempt.provider_batch_id or None,
                "item_id": attempt.provider_item_id or None,
                "transaction_id": attempt.provider_transaction_id or None,
                "provider_state": attempt.provider_state,
                "error_code": attempt.error_code,
                "fence": attempt.fence,
                "lease_end_time": attempt.lease_end_time,
                "now": now,
            },
        )


def _deposit(row: DictRow) -> Deposit:
    return Deposit(
        id=row["id"],
        brand=row["brand"],
        amount=Money(row["currency"], row["amount_minor"]),
        create_time=row["create_time"],
        external_reference=row["external_reference"],
        confirm_time=row["confirm_time"],
    )


def _payout(row: DictRow) -> Payout:
    currency, fee_minor = row["currency"], row["fee_minor"]
    return Payout(
        id=row["id"],
        state=State(row["state"]),
        brand=row["brand"],
        creator=row["creator"],
        amount=Money(currency, row["amount_minor"]),
        reserved_amount=Money(currency, row["reserved_amount_minor"]),
        held_minor=row["held_minor"],
        fee=None if fee_minor is None else Money(currency, fee_minor),
        was_settled=row["was_settled"],
        attempts=tuple(_attempt(attempt, currency) for attempt in row["attempts"]),
        create_time=row["create_time"],
        update_time=row["update_time"],
        is_held=row["is_held"],
    )


def _attempt(row: DictRow, currency: str) -> Attempt:
    """From JSON, so that a page of payouts takes one statement; times are strings in it."""
    lease_end_time = row["lease_end_time"]
    return Attempt(
        number=row["number"],
        state=AttemptState(row["state"]),
        receiver=row["receiver"],
        amount=Money(currency, row["amount_minor"]),
        sender_batch_id=row["sender_batch_id"],
        create_time=datetime.fromisoformat(row["create_time"]),
        update_time=datetime.fromisoformat(row["update_time"]),
        provider=ProviderName(row["provider"]),
        provider_batch_id=row["provider_batch_id"] or "",
        provider_item_id=row["provider_item_id"] or "",
        provider_transaction_id=row["provider_transaction_id"] or "",
        provider_state=row["provider_state"],
        error_code=row["error_code"],
        fence=row["fence"],
        lease_end_time=datetime.fromisoformat(lease_end_time) if lease_end_time else None,
    )
