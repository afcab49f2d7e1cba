"""Periodic checks beside the server: that the ledger balances, that the database is still the same
one, and the state of payouts.

The database refuses postings that do not balance; this finds changes that bypassed its rules: by a
superuser, an incomplete restore or a broken disk.
"""

from collections.abc import Iterable

import structlog

from servicekit.clock import Clock
from services.payouts.kill_switch.handlers import KillSwitchHandlers
from services.payouts.ledger.store import LedgerStore
from services.payouts.monitoring import metrics
from services.payouts.monitoring.queries import MonitoringQueries
from workflows.payout.providers import ProviderName

log = structlog.get_logger()

# A check of the ledger reads every entry: 0.04 s for 250,000 of them.
INTERVAL_SECONDS = 60.0


class PayoutMonitor:
    """Checks everything but the ledger's balances."""

    def __init__(
        self,
        kill_switch: KillSwitchHandlers,
        queries: MonitoringQueries,
        providers: Iterable[ProviderName],
        clock: Clock,
    ) -> None:
        self._kill_switch = kill_switch
        self._queries = queries
        self._providers = providers
        self._clock = clock

    async def check(self) -> None:
        """Halts all payouts if the database's identity has changed, and updates the metrics. If it
        raises, the metric of the last check keeps its old time."""
        await self._kill_switch.check_database_identity()
        metrics.payouts_checked(
            await self._queries.payouts(),
            await self._queries.attempts(),
            (await self._kill_switch.get_kill_switch()).halts,
            {name: await self._queries.last_reconciliation(name) for name in self._providers},
            self._clock(),
        )


async def check_ledger(ledger: LedgerStore, clock: Clock) -> None:
    """Updates the metrics, and logs each currency that does not balance. If it raises, the metric
    of the last check keeps its old time."""
    drifts = await ledger.drifts()
    metrics.ledger_checked(drifts, clock())
    for drift in drifts:
        if drift.sum_minor or drift.carried_minor:
            log.critical(
                "ledger_drift",
                currency=drift.currency,
                sum_minor=drift.sum_minor,
                carried_minor=drift.carried_minor,
            )
