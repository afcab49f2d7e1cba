"""SQL of the ledger: posts transfers and sums up accounts."""

from dataclasses import dataclass

from servicekit.money import Money
from servicekit.postgres.database import Database
from services.payouts.ledger.postings import Account, Transfer, available, reserved


class PostedOtherwise(Exception):
    """A different transfer was posted under the same key, which is a defect of the program."""


@dataclass(frozen=True)
class Drift:
    """Inconsistency of one currency; all zero in a sound ledger."""

    currency: str
    # Sum of all entries.
    sum_minor: int = 0
    # Sum of the absolute differences between carried balances and their entries.
    carried_minor: int = 0


class LedgerStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def post(self, transfer: Transfer) -> int:
        """Posts a transfer and returns its id. Idempotent by its key.

        Raises:
            PostedOtherwise: the key was used for other entries.
        """
        async with self._database.transaction():
            row = await self._database.fetch_one(
                """
                INSERT INTO transfer (key, body_sha256, kind, payout_id, attempt_number)
                VALUES (%s, %s, %s, %s, %s) ON CONFLICT (key) DO NOTHING RETURNING id
                """,
                (
                    transfer.key,
                    transfer.body_sha256,
                    transfer.kind,
                    transfer.payout_id,
                    transfer.attempt_number,
                ),
            )
            if row is None:
                return await self._posted_before(transfer)
            transfer_id: int = row["id"]
            await self._add_entries(transfer_id, transfer)
            return transfer_id

    async def _posted_before(self, transfer: Transfer) -> int:
        row = await self._database.fetch_one(
            "SELECT id, body_sha256 FROM transfer WHERE key = %s", (transfer.key,)
        )
        if row is None or row["body_sha256"] != transfer.body_sha256:
            raise PostedOtherwise(transfer.key)
        transfer_id: int = row["id"]
        return transfer_id

    async def _add_entries(self, transfer_id: int, transfer: Transfer) -> None:
        columns = {
            "owners": [entry.account.owner for entry in transfer.entries],
            "kinds": [entry.account.kind for entry in transfer.entries],
            "currencies": [entry.amount.currency for entry in transfer.entries],
            "amounts": [entry.amount.amount_minor for entry in transfer.entries],
            "transfer_id": transfer_id,
        }
        await self._database.execute(
            """
            INSERT INTO account (owner, kind, currency)
            SELECT * FROM unnest(%(owners)s::text[], %(kinds)s::text[], %(currencies)s::text[])
            ON CONFLICT DO NOTHING
            """,
            columns,
        )
        await self._database.execute(
            """
            INSERT INTO entry (transfer_id, owner, kind, currency, amount_minor)
            SELECT %(transfer_id)s, * FROM unnest(%(owners)s::text[], %(kinds)s::text[],
                                                  %(currencies)s::text[], %(amounts)s::bigint[])
            """,
            columns,
        )

    async def funds(self, brand: str, currency: str) -> tuple[Money, Money]:
        """Returns a brand's available and reserved funds."""
        rows = await self._database.fetch_all(
            "SELECT kind, balance_minor FROM account WHERE owner = %s AND currency = %s",
            (available(brand).owner, currency),
        )
        minor = {row["kind"]: row["balance_minor"] for row in rows}
        return (
            Money(currency, minor.get(available(brand).kind, 0)),
            Money(currency, minor.get(reserved(brand).kind, 0)),
        )

    async def lock_available(self, brand: str, currency: str) -> Money:
        """Reads a brand's free funds and locks them until this transaction ends."""
        account = available(brand)
        row = await self._database.fetch_one(
            """
            SELECT balance_minor FROM account
             WHERE owner = %s AND kind = %s AND currency = %s FOR UPDATE
            """,
            (account.owner, account.kind, currency),
        )
        return Money(currency, row["balance_minor"] if row else 0)

    async def sums(self) -> list[tuple[Account, Money]]:
        """Balance of every account with entries, summed from them."""
        rows = await self._database.fetch_all(
            """
            SELECT owner, kind, currency, sum(amount_minor)::bigint AS sum_minor FROM entry
             GROUP BY owner, kind, currency ORDER BY currency, owner, kind
            """
        )
        return [
            (Account(row["owner"], row["kind"]), Money(row["currency"], row["sum_minor"]))
            for row in rows
        ]

    async def drifts(self) -> list[Drift]:
        """Checks every currency. One statement, so that it reads one snapshot of the ledger."""
        rows = await self._database.fetch_all(
            """
            WITH summed AS (
                SELECT owner, kind, currency, sum(amount_minor) AS minor FROM entry
                 GROUP BY owner, kind, currency)
            SELECT currency, coalesce(sum(s.minor), 0)::bigint AS sum_minor,
                   coalesce(sum(abs(a.balance_minor - coalesce(s.minor, 0))), 0)::bigint
                       AS carried_minor
              FROM account a FULL JOIN summed s USING (owner, kind, currency)
             GROUP BY currency ORDER BY currency
            """
        )
        return [Drift(row["currency"], row["sum_minor"], row["carried_minor"]) for row in rows]
