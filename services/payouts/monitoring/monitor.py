"""Looks, every minute beside the server, whether the ledger adds up, whether it is still where it
was, and how payouts stand.

The database refuses what would not add up; this finds what went around it: a superuser's hand, a
bad restore, a broken disk.
"""

from collections.abc import Iterable

import structlog

from servicekit.clock import Clock
from services.payouts.kill_switch.handlers import KillSwitchHandlers
from services.payouts.ledger.store import PostgresLedger
from services.payouts.monitoring import metrics
from services.payouts.monitoring.queries import PostgresOverview
from workflows.payout.providers import ProviderName

log = structlog.get_logger()

# A check reads every entry: 0.04 s where there were 250,000 of them.
INTERVAL_SECONDS = 60.0


class Lookout:
    """What is looked at beside the ledger."""

    def __init__(
        self,
        kill_switch: KillSwitchHandlers,
        overview: PostgresOverview,
        providers: Iterable[ProviderName],
        clock: Clock,
    ) -> None:
        self._kill_switch = kill_switch
        self._overview = overview
        self._providers = providers
        self._clock = clock

    async def look(self) -> None:
        """Halts all sending where the database is another one, and measures how payouts stand.
        Where it cannot look, the time of the last look grows old."""
        await self._kill_switch.check_database_identity()
        metrics.looked(
            await self._overview.payouts(),
            await self._overview.attempts(),
            (await self._kill_switch.get_kill_switch()).halts,
            {name: await self._overview.last_reconciliation(name) for name in self._providers},
            self._clock(),
        )


async def check(ledger: PostgresLedger, clock: Clock) -> None:
    """Measures, and cries out when anything does not add up. Where it cannot look, the time of the
    last check grows old."""
    drifts = await ledger.drifts()
    metrics.checked(drifts, clock())
    for drift in drifts:
        if drift.sum_minor or drift.carried_minor:
            log.critical(
                "ledger_drifts",
                currency=drift.currency,
                sum_minor=drift.sum_minor,
                carried_minor=drift.carried_minor,
            )
