"""The SQL of what is compared: everything that was reported or booked, and not compared before."""

from collections.abc import Collection, Iterable
from datetime import datetime

from psycopg.rows import DictRow

from servicekit.money import Money
from servicekit.postgres.database import Database
from services.payouts.attempts import Attempt
from services.payouts.domain import Payout
from services.payouts.ledger.postings import PROVIDER_OWNER, Kind, fees_of
from services.payouts.providers.interface import Report, Transaction
from services.payouts.reconciliation.domain import Booking, Key, Part, Standing
from services.payouts.reconciliation.handlers import Ask, Known
from services.payouts.store import PostgresPayoutStore
from workflows.payout.providers import ProviderName

_PARTS = {Kind.SETTLE: Part.PAYMENT, Kind.RETURN: Part.RETURN}


class PostgresEvidence:
    def __init__(self, database: Database, payouts: PostgresPayoutStore) -> None:
        self._database = database
        self._payouts = payouts

    async def ask(self, provider: ProviderName) -> Ask:
        row = await self._database.fetch_one(
            """
            SELECT (SELECT min(create_time) FROM attempt WHERE provider = %(provider)s)
                       AS first_attempt_time,
                   (SELECT min(applied_time) FROM migration) AS first_day_time,
                   (SELECT min(start_time) FROM reconciliation WHERE provider = %(provider)s)
                       AS first_start_time,
                   (SELECT max(end_time) FROM reconciliation WHERE provider = %(provider)s)
                       AS last_end_time,
                   (SELECT min(a.create_time) FROM attempt a
                     WHERE a.provider = %(provider)s
                       AND (a.state NOT IN ('PAID', 'FAILED', 'RETURNED')
                            OR EXISTS (SELECT FROM transfer t
                                        WHERE t.payout_id = a.payout_id
                                          AND t.attempt_number = a.number
                                          AND NOT EXISTS (SELECT FROM reconciled_transaction
                                                           WHERE transfer_id = t.id))))
                       AS open_attempt_time,
                   (SELECT min(time) FROM reported_transaction r
                     WHERE provider = %(provider)s
                       AND NOT EXISTS (SELECT FROM reconciled_transaction m
                                        WHERE m.provider = r.provider AND m.transaction_id = r.id)
                       AND NOT EXISTS (SELECT FROM finding f
                                         JOIN reconciliation c ON c.id = f.reconciliation_id
                                        WHERE c.provider = r.provider
                                          AND f.transaction_id = r.id)) AS open_transaction_time
            """,
            {"provider": provider},
        )
        if row is None:
            raise AssertionError("a SELECT without FROM has one row")
        return Ask(**row)

    async def known(
        self, provider: ProviderName, report: Report, report_start_time: datetime
    ) -> Known:
        """What the ledger has, of the report and of everything that was not compared before."""
        waiting = await self._waiting(provider)
        fresh = {each.id: each for each in report.transactions}
        old = await self._seen(provider, list(fresh))
        is_gone = {
            id_: report_start_time <= each.time < report.end_time and id_ not in fresh
            for id_, each in waiting.items()
        }
        candidates = {id_: fresh.get(id_, each) for id_, each in waiting.items()}
        candidates |= {id_: each for id_, each in fresh.items() if id_ not in old}
        reversed_ids = [each.reverses_id for each in candidates.values() if each.reverses_id]
        earlier = await self._matched(provider, reversed_ids)
        return Known(
            transactions=tuple(each for id_, each in candidates.items() if not is_gone.get(id_)),
            gone=tuple(each for id_, each in waiting.items() if is_gone[id_]),
            new_ids=frozenset(id_ for id_ in fresh if id_ not in old),
            standings=await self._standings(provider, candidates.values(), earlier),
            payout_ids=await self._payout_ids(candidates.values()),
            earlier=earlier,
            bookings=await self._bookings(provider),
            told_transactions=await self._told(provider, list(waiting)),
            told_transfers=frozenset(await self._told_transfers()),
        )

    async def _seen(self, provider: ProviderName, ids: list[str]) -> set[str]:
        rows = await self._database.fetch_all(
            "SELECT id FROM reported_transaction WHERE provider = %s AND id = ANY(%s)",
            (provider, ids),
        )
        return {row["id"] for row in rows}

    async def _waiting(self, provider: ProviderName) -> dict[str, Transaction]:
        """What was reported and is not compared yet."""
        rows = await self._database.fetch_all(
            """
            SELECT * FROM reported_transaction r
             WHERE provider = %s AND NOT EXISTS (
                   SELECT FROM reconciled_transaction m
                    WHERE m.provider = r.provider AND m.transaction_id = r.id)
            """,
            (provider,),
        )
        return {row["id"]: _transaction(row) for row in rows}

    async def _matched(self, provider: ProviderName, ids: list[str]) -> dict[str, tuple[str, int]]:
        rows = await self._database.fetch_all(
            """
            SELECT transaction_id, payout_id, attempt_number FROM reconciled_transaction
             WHERE provider = %s AND transaction_id = ANY(%s)
            """,
            (provider, ids),
        )
        return {row["transaction_id"]: (row["payout_id"], row["attempt_number"]) for row in rows}

    async def _standings(
        self,
        provider: ProviderName,
        transactions: Collection[Transaction],
        earlier: dict[str, tuple[str, int]],
    ) -> tuple[Standing, ...]:
        rows = await self._database.fetch_all(
            """
            SELECT DISTINCT payout_id FROM attempt
             WHERE provider = %(provider)s
               AND (sender_batch_id = ANY(%(sender_ids)s)
                    OR provider_transaction_id = ANY(%(transaction_ids)s)
                    OR payout_id = ANY(%(payout_ids)s))
            """,
            {
                "provider": provider,
                "sender_ids": [each.sender_batch_id for each in transactions],
                "transaction_ids": [
                    id_ for each in transactions for id_ in (each.id, each.reverses_id) if id_
                ],
                "payout_ids": [payout_id for payout_id, _ in earlier.values()],
            },
        )
        payouts = await self._payouts.get_many([row["payout_id"] for row in rows])
        booked = await self._booked(list(payouts))
        return tuple(
            _standing(payout, attempt, booked)
            for payout in payouts.values()
            for attempt in payout.attempts
            if attempt.provider is provider
        )

    async def _booked(self, payout_ids: list[str]) -> set[Key]:
        rows = await self._database.fetch_all(
            """
            SELECT payout_id, attempt_number, kind FROM transfer
             WHERE payout_id = ANY(%s) AND kind IN ('SETTLE', 'RETURN')
            """,
            (payout_ids,),
        )
        return {
            Key(row["payout_id"], row["attempt_number"], _PARTS[Kind(row["kind"])]) for row in rows
        }

    async def _payout_ids(self, transactions: Iterable[Transaction]) -> frozenset[str]:
        """Those that our own ids name, whether or not the ledger has the attempt."""
        rows = await self._database.fetch_all(
            """
            SELECT id FROM payout
             WHERE id IN (SELECT regexp_replace(name, '^po-(.+)-[0-9]+$', '\\1')
                            FROM unnest(%s::text[]) AS name)
            """,
            ([each.sender_batch_id for each in transactions],),
        )
        return frozenset(row["id"] for row in rows)

    async def _bookings(self, provider: ProviderName) -> tuple[Booking, ...]:
        """What was booked and is not compared yet."""
        rows = await self._database.fetch_all(
            """
            SELECT t.id, t.payout_id, t.attempt_number, t.kind, t.create_time, p.currency,
                   coalesce((SELECT e.amount_minor FROM entry e
                              WHERE e.transfer_id = t.id AND e.owner = %(paid)s
                                AND e.currency = p.currency), 0) AS amount_minor,
                   f.currency AS fee_currency, f.amount_minor AS fee_minor
              FROM transfer t
              JOIN attempt a ON a.payout_id = t.payout_id AND a.number = t.attempt_number
              JOIN payout p ON p.id = t.payout_id
              LEFT JOIN entry f
                ON f.transfer_id = t.id AND f.owner = %(fees)s AND f.kind = %(fees_kind)s
             WHERE t.kind IN ('SETTLE', 'RETURN') AND a.provider = %(provider)s
               AND NOT EXISTS (SELECT FROM reconciled_transaction m WHERE m.transfer_id = t.id)
             ORDER BY t.id
            """,
            {
                "provider": provider,
                "paid": PROVIDER_OWNER,
                "fees": fees_of(provider).owner,
                "fees_kind": fees_of(provider).kind,
            },
        )
        return tuple(map(_booking, rows))

    async def _told(self, provider: ProviderName, ids: list[str]) -> frozenset[str]:
        rows = await self._database.fetch_all(
            """
            SELECT transaction_id FROM finding f
              JOIN reconciliation r ON r.id = f.reconciliation_id
             WHERE r.provider = %s AND transaction_id = ANY(%s)
            """,
            (provider, ids),
        )
        return frozenset(row["transaction_id"] for row in rows)

    async def _told_transfers(self) -> list[int]:
        rows = await self._database.fetch_all(
            "SELECT transfer_id FROM finding WHERE transfer_id IS NOT NULL"
        )
        return [row["transfer_id"] for row in rows]


def _standing(payout: Payout, attempt: Attempt, booked: set[Key]) -> Standing:
    return Standing(
        payout.id,
        attempt,
        is_settled=Key(payout.id, attempt.number, Part.PAYMENT) in booked,
        is_returned=Key(payout.id, attempt.number, Part.RETURN) in booked,
    )


def _transaction(row: DictRow) -> Transaction:
    """As an earlier report had it: whether it is done since is not known."""
    return Transaction(
        row["id"],
        row["sender_batch_id"],
        row["reverses_id"],
        Money(row["currency"], row["amount_minor"]),
        Money(row["fee_currency"], row["fee_minor"]),
        row["time"],
        is_pending=True,
    )


def _booking(row: DictRow) -> Booking:
    return Booking(
        row["id"],
        Key(row["payout_id"], row["attempt_number"], _PARTS[Kind(row["kind"])]),
        Money(row["currency"], row["amount_minor"]),
        Money(row["fee_currency"] or row["currency"], row["fee_minor"] or 0),
        row["create_time"],
    )
