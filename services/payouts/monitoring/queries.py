"""The SQL behind the metrics: counts and ages of payouts and attempts, and the last
reconciliations."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from servicekit.postgres.database import Database
from services.payouts.attempts import AttemptState
from services.payouts.domain import State
from workflows.payout.providers import ProviderName


@dataclass(frozen=True)
class Waiting:
    """Number of payouts or attempts in a state, and since when the oldest has been in it."""

    count: int
    since: datetime


@dataclass(frozen=True)
class LastReconciliation:
    """Time of a provider's last reconciliation, or of the first migration if there was none; and
    the number of mismatches since the oldest active mismatch halt."""

    time: datetime
    mismatch_count: int


class MonitoringQueries:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def payouts(self) -> Mapping[State, Waiting]:
        """Payouts with reserved money, by state; all others have ended."""
        rows = await self._database.fetch_all(
            """
            WITH held AS MATERIALIZED (
                SELECT t.payout_id AS id
                  FROM entry e JOIN transfer t ON t.id = e.transfer_id
                 WHERE e.kind = 'reserved' GROUP BY t.payout_id HAVING sum(e.amount_minor) <> 0)
            SELECT state, count(*) AS count, min(update_time) AS since
              FROM held JOIN payout_now USING (id) GROUP BY state
            """
        )
        return {State(row["state"]): Waiting(row["count"], row["since"]) for row in rows}

    async def attempts(self) -> Mapping[AttemptState, Waiting]:
        """UNKNOWN attempts since their creation, and BLOCKED ones since they were blocked."""
        rows = await self._database.fetch_all(
            """
            SELECT state, count(*) AS count,
                   min(CASE state WHEN 'UNKNOWN' THEN create_time ELSE update_time END) AS since
              FROM attempt WHERE state IN ('UNKNOWN', 'BLOCKED') GROUP BY state
            """
        )
        return {AttemptState(row["state"]): Waiting(row["count"], row["since"]) for row in rows}

    async def last_reconciliation(self, provider: ProviderName) -> LastReconciliation:
        row = await self._database.fetch_one(
            """
            SELECT create_time,
                   (SELECT coalesce(sum(mismatch_count), 0) FROM reconciliation
                     WHERE provider = %(provider)s
                       AND create_time >= (SELECT min(create_time) FROM active_halt
                                            WHERE cause = 'MISMATCH')) AS mismatch_count
              FROM reconciliation WHERE provider = %(provider)s ORDER BY end_time DESC LIMIT 1
            """,
            {"provider": provider},
        ) or await self._database.fetch_one(
            "SELECT min(applied_time) AS create_time, 0 AS mismatch_count FROM migration"
        )
        if row is None:
            raise AssertionError("an aggregate has a row")
        return LastReconciliation(row["create_time"], row["mismatch_count"])
