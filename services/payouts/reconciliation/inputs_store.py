"""SQL of a comparison's inputs: everything that was reported or posted, and not matched before."""

from collections.abc import Collection, Iterable
from datetime import datetime

from psycopg.rows import DictRow

from servicekit.money import Money
from servicekit.postgres.database import Database
from services.payouts.attempts import Attempt
from services.payouts.domain import Payout
from services.payouts.ledger.postings import PROVIDER_OWNER, Kind, fees_of
from services.payouts.providers.interface import Report, Transaction
from services.payouts.reconciliation.domain import AttemptPostings, Movement, MovementKey, Posting
from services.payouts.reconciliation.handlers import Inputs, ReportWindow
from services.payouts.store import PayoutStore
from workflows.payout.providers import ProviderName

_MOVEMENTS = {Kind.SETTLE: Movement.PAYMENT, Kind.RETURN: Movement.RETURN}


class InputsStore:
    def __init__(self, database: Database, payouts: PayoutStore) -> None:
        self._database = database
        self._payouts = payouts

    async def report_window(self, provider: ProviderName) -> ReportWindow:
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
        return ReportWindow(**row)

    async def inputs(
        self, provider: ProviderName, report: Report, report_start_time: datetime
    ) -> Inputs:
        """The report and everything that was not matched before, with what the ledger has of it."""
        open_ = await self._open(provider)
        reported = {each.id: each for each in report.transactions}
        known_ids = await self._known_ids(provider, list(reported))
        is_withdrawn = {
            id_: report_start_time <= each.time < report.end_time and id_ not in reported
            for id_, each in open_.items()
        }
        candidates = {id_: reported.get(id_, each) for id_, each in open_.items()}
        candidates |= {id_: each for id_, each in reported.items() if id_ not in known_ids}
        reversed_ids = [each.reverses_id for each in candidates.values() if each.reverses_id]
        reversed_attempts = await self._matched_attempts(provider, reversed_ids)
        return Inputs(
            transactions=tuple(
                each for id_, each in candidates.items() if not is_withdrawn.get(id_)
            ),
            withdrawn=tuple(each for id_, each in open_.items() if is_withdrawn[id_]),
            new_ids=frozenset(id_ for id_ in reported if id_ not in known_ids),
            attempt_postings=await self._attempt_postings(
                provider, candidates.values(), reversed_attempts
            ),
            payout_ids=await self._payout_ids(candidates.values()),
            reversed_attempts=reversed_attempts,
            postings=await self._postings(provider),
            found_transaction_ids=await self._found_transaction_ids(provider, list(open_)),
            found_transfer_ids=frozenset(await self._found_transfer_ids()),
        )

    async def _known_ids(self, provider: ProviderName, ids: list[str]) -> set[str]:
        rows = await self._database.fetch_all(
            "SELECT id FROM reported_transaction WHERE provider = %s AND id = ANY(%s)",
            (provider, ids),
        )
        return {row["id"] for row in rows}

    async def _open(self, provider: ProviderName) -> dict[str, Transaction]:
        """Transactions that were reported and are not matched yet."""
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

    async def _matched_attempts(
        self, provider: ProviderName, ids: list[str]
    ) -> dict[str, tuple[str, int]]:
        rows = await self._database.fetch_all(
            """
            SELECT transaction_id, payout_id, attempt_number FROM reconciled_transaction
             WHERE provider = %s AND transaction_id = ANY(%s)
            """,
            (provider, ids),
        )
        return {row["transaction_id"]: (row["payout_id"], row["attempt_number"]) for row in rows}

    async def _attempt_postings(
        self,
        provider: ProviderName,
        transactions: Collection[Transaction],
        reversed_attempts: dict[str, tuple[str, int]],
    ) -> tuple[AttemptPostings, ...]:
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
                "payout_ids": [payout_id for payout_id, _ in reversed_attempts.values()],
            },
        )
        payouts = await self._payouts.get_many([row["payout_id"] for row in rows])
        posted_keys = await self._posted_keys(list(payouts))
        return tuple(
            _posted(payout, attempt, posted_keys)
            for payout in payouts.values()
            for attempt in payout.attempts
            if attempt.provider is provider
        )

    async def _posted_keys(self, payout_ids: list[str]) -> set[MovementKey]:
        rows = await self._database.fetch_all(
            """
            SELECT payout_id, attempt_number, kind FROM transfer
             WHERE payout_id = ANY(%s) AND kind IN ('SETTLE', 'RETURN')
            """,
            (payout_ids,),
        )
        return {
            MovementKey(row["payout_id"], row["attempt_number"], _MOVEMENTS[Kind(row["kind"])])
            for row in rows
        }

    async def _payout_ids(self, transactions: Iterable[Transaction]) -> frozenset[str]:
        """Payouts named by our ids, whether or not the ledger has the attempt."""
        rows = await self._database.fetch_all(
            """
            SELECT id FROM payout
             WHERE id IN (SELECT regexp_replace(name, '^po-(.+)-[0-9]+$', '\\1')
                            FROM unnest(%s::text[]) AS name)
            """,
            ([each.sender_batch_id for each in transactions],),
        )
        return frozenset(row["id"] for row in rows)

    async def _postings(self, provider: ProviderName) -> tuple[Posting, ...]:
        """Postings that are not matched yet."""
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
        return tuple(map(_posting, rows))

    async def _found_transaction_ids(
        self, provider: ProviderName, ids: list[str]
    ) -> frozenset[str]:
        rows = await self._database.fetch_all(
            """
            SELECT transaction_id FROM finding f
              JOIN reconciliation r ON r.id = f.reconciliation_id
             WHERE r.provider = %s AND transaction_id = ANY(%s)
            """,
            (provider, ids),
        )
        return frozenset(row["transaction_id"] for row in rows)

    async def _found_transfer_ids(self) -> list[int]:
        rows = await self._database.fetch_all(
            "SELECT transfer_id FROM finding WHERE transfer_id IS NOT NULL"
        )
        return [row["transfer_id"] for row in rows]


def _posted(payout: Payout, attempt: Attempt, posted_keys: set[MovementKey]) -> AttemptPostings:
    return AttemptPostings(
        payout.id,
        attempt,
        is_settled=MovementKey(payout.id, attempt.number, Movement.PAYMENT) in posted_keys,
        is_returned=MovementKey(payout.id, attempt.number, Movement.RETURN) in posted_keys,
    )


def _transaction(row: DictRow) -> Transaction:
    """As an earlier report had it; it may have been completed since."""
    return Transaction(
        row["id"],
        row["sender_batch_id"],
        row["reverses_id"],
        Money(row["currency"], row["amount_minor"]),
        Money(row["fee_currency"], row["fee_minor"]),
        row["time"],
        is_pending=True,
    )


def _posting(row: DictRow) -> Posting:
    return Posting(
        row["id"],
        MovementKey(row["payout_id"], row["attempt_number"], _MOVEMENTS[Kind(row["kind"])]),
        Money(row["currency"], row["amount_minor"]),
        Money(row["fee_currency"] or row["currency"], row["fee_minor"] or 0),
        row["create_time"],
    )
