"""SQL of recorded reconciliations."""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import LiteralString
from uuid import UUID

from psycopg.rows import DictRow

from servicekit.money import Money
from servicekit.pagination import Page
from servicekit.postgres.database import Database
from services.payouts.providers.interface import Transaction
from services.payouts.reconciliation.domain import (
    Comparison,
    Finding,
    FindingKind,
    Match,
    Reconciliation,
    Total,
)
from services.payouts.reconciliation.handlers import NewReconciliation
from workflows.payout.providers import ProviderName

_LATEST: LiteralString = """
    SELECT * FROM reconciliation WHERE provider = %s ORDER BY end_time DESC LIMIT 1
"""


class ReconciliationStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    def exclusive(self, provider: ProviderName) -> AbstractAsyncContextManager[None]:
        """One reconciliation of a provider at a time, in all processes.

        Raises:
            Unavailable: another one is running.
        """
        return self._database.exclusively(f"reconciliation.{provider}")

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[None]:
        """A transaction that sees one state of the ledger, whatever is posted meanwhile."""
        async with self._database.transaction():
            await self._database.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            yield

    async def find_by_request(self, request_id: UUID) -> Reconciliation | None:
        row = await self._database.fetch_one(
            "SELECT * FROM reconciliation WHERE request_id = %s", (request_id,)
        )
        return await self._with_findings(row) if row else None

    async def get(self, reconciliation_id: int) -> Reconciliation | None:
        row = await self._database.fetch_one(
            "SELECT * FROM reconciliation WHERE id = %s", (reconciliation_id,)
        )
        return await self._with_findings(row) if row else None

    async def latest(self, provider: ProviderName) -> Reconciliation | None:
        row = await self._database.fetch_one(_LATEST, (provider,))
        return await self._with_findings(row) if row else None

    async def list_newest(self, page: Page) -> list[Reconciliation]:
        rows = await self._database.fetch_all(
            """
            SELECT * FROM reconciliation
             WHERE (%(after)s::bigint IS NULL OR id < %(after)s) ORDER BY id DESC LIMIT %(size)s
            """,
            {"after": page.after.key if page.after else None, "size": page.size},
        )
        totals = await self._totals([row["id"] for row in rows])
        return [_reconciliation(row, totals, ()) for row in rows]

    async def add(self, new: NewReconciliation, comparison: Comparison) -> Reconciliation:
        row = await self._database.fetch_one(
            """
            INSERT INTO reconciliation (provider, start_time, end_time, transaction_count,
                                        mismatch_count, request_id, create_time)
            VALUES (%s, %s, %s, %s, %s, %s, %s) RETURNING *
            """,
            (
                new.provider,
                new.start_time,
                new.end_time,
                len(new.transactions),
                comparison.mismatch_count,
                new.request_id,
                new.create_time,
            ),
        )
        if row is None:
            raise AssertionError("an INSERT returns its row")
        await self._add_transactions(row["id"], new.provider, new.transactions)
        await self._add_matches(row["id"], new.provider, comparison.matches)
        await self._add_totals(row["id"], comparison.totals)
        await self._add_findings(row["id"], comparison.findings)
        return await self._with_findings(row)

    async def _add_transactions(
        self, id_: int, provider: ProviderName, transactions: Sequence[Transaction]
    ) -> None:
        await self._database.execute(
            """
            INSERT INTO reported_transaction
                (provider, reconciliation_id, id, sender_batch_id, reverses_id, currency,
                 amount_minor, fee_currency, fee_minor, time)
            SELECT %s, %s, * FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[],
                                         %s::bigint[], %s::text[], %s::bigint[], %s::timestamptz[])
            """,
            (
                provider,
                id_,
                [each.id for each in transactions],
                [each.sender_batch_id for each in transactions],
                [each.reverses_id for each in transactions],
                [each.amount.currency for each in transactions],
                [each.amount.amount_minor for each in transactions],
                [each.fee.currency for each in transactions],
                [each.fee.amount_minor for each in transactions],
                [each.time for each in transactions],
            ),
        )

    async def _add_matches(
        self, id_: int, provider: ProviderName, matches: Sequence[Match]
    ) -> None:
        await self._database.execute(
            """
            INSERT INTO reconciled_transaction
                (provider, reconciliation_id, transaction_id, payout_id, attempt_number,
                 transfer_id)
            SELECT %s, %s, * FROM unnest(%s::text[], %s::text[], %s::integer[], %s::bigint[])
            """,
            (
                provider,
                id_,
                [match.transaction_id for match in matches],
                [match.payout_id for match in matches],
                [match.number for match in matches],
                [match.transfer_id for match in matches],
            ),
        )

    async def _add_totals(self, id_: int, totals: Sequence[Total]) -> None:
        for total in totals:
            await self._database.execute(
                """
                INSERT INTO reconciliation_total
                    (reconciliation_id, currency, provider_minor, ledger_minor, provider_fee_minor,
                     ledger_fee_minor, open_minor)
                VALUES (%s, %s, %s, %s, %s, %s, %s)
                """,
                (
                    id_,
                    total.currency,
                    total.provider_minor,
                    total.ledger_minor,
                    total.provider_fee_minor,
                    total.ledger_fee_minor,
                    total.open_minor,
                ),
            )

    async def _add_findings(self, id_: int, findings: Sequence[Finding]) -> None:
        for number, finding in enumerate(findings, 1):
            await self._database.execute(
                """
                INSERT INTO finding
                    (reconciliation_id, number, kind, payout_id, attempt_number, transaction_id,
                     transfer_id, provider_currency, provider_amount_minor, ledger_currency,
                     ledger_amount_minor, provider_fee_currency, provider_fee_minor,
                     ledger_fee_currency, ledger_fee_minor, time, description)
                VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
                """,
                (
                    id_,
                    number,
                    finding.kind,
                    finding.payout_id,
                    finding.number,
                    finding.transaction_id,
                    finding.transfer_id,
                    *_columns(finding.provider_amount),
                    *_columns(finding.ledger_amount),
                    *_columns(finding.provider_fee),
                    *_columns(finding.ledger_fee),
                    finding.time,
                    finding.description,
                ),
            )

    async def _with_findings(self, row: DictRow) -> Reconciliation:
        totals = await self._totals([row["id"]])
        findings = await self._database.fetch_all(
            "SELECT * FROM finding WHERE reconciliation_id = %s ORDER BY number", (row["id"],)
        )
        return _reconciliation(row, totals, map(_finding, findings))

    async def _totals(self, ids: list[int]) -> dict[int, list[Total]]:
        rows = await self._database.fetch_all(
            """
            SELECT * FROM reconciliation_total WHERE reconciliation_id = ANY(%s) ORDER BY currency
            """,
            (ids,),
        )
        found: dict[int, list[Total]] = {}
        for row in rows:
            found.setdefault(row.pop("reconciliation_id"), []).append(Total(**row))
        return found


def _columns(money: Money | None) -> tuple[str | None, int | None]:
    return (money.currency, money.amount_minor) if money else (None, None)


def _money(currency: str | None, minor: int | None) -> Money | None:
    return None if currency is None or minor is None else Money(currency, minor)


def _finding(row: DictRow) -> Finding:
    return Finding(
        FindingKind(row["kind"]),
        row["time"],
        row["description"],
        row["payout_id"],
        row["attempt_number"],
        row["transaction_id"],
        row["transfer_id"],
        _money(row["provider_currency"], row["provider_amount_minor"]),
        _money(row["ledger_currency"], row["ledger_amount_minor"]),
        _money(row["provider_fee_currency"], row["provider_fee_minor"]),
        _money(row["ledger_fee_currency"], row["ledger_fee_minor"]),
    )


def _reconciliation(
    row: DictRow, totals: dict[int, list[Total]], findings: Iterable[Finding]
) -> Reconciliation:
    return Reconciliation(
        row["id"],
        ProviderName(row["provider"]),
        row["start_time"],
        row["end_time"],
        row["create_time"],
        row["transaction_count"],
        row["mismatch_count"],
        tuple(totals.get(row["id"], ())),
        tuple(findings),
    )
