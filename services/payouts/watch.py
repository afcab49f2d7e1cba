"""Looks, every minute beside the server, whether the ledger adds up.

The database refuses what would not; this finds what went around it: a superuser's hand, a bad
restore, a broken disk.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from opentelemetry.instrumentation.utils import suppress_instrumentation

from servicekit.background import in_background
from servicekit.clock import Clock
from servicekit.errors import LiaisonError
from services.payouts import metrics
from services.payouts.ledger import PostgresLedger

log = structlog.get_logger()

# A check reads every entry: 0.04 s where there were 250,000 of them.
_INTERVAL_SECONDS = 60.0


@asynccontextmanager
async def watching(ledger: PostgresLedger, clock: Clock) -> AsyncIterator[None]:
    """Checks for as long as the block runs, at once to begin with."""
    async with in_background(_check_forever(ledger, clock)):
        yield


async def _check_forever(ledger: PostgresLedger, clock: Clock) -> None:
    while True:
        with suppress_instrumentation():  # a trace every minute would hide the others
            await check(ledger, clock)
        await asyncio.sleep(_INTERVAL_SECONDS)


async def check(ledger: PostgresLedger, clock: Clock) -> None:
    """Measures, and cries out when anything does not add up. Where it cannot look, the time of the
    last check grows old."""
    try:
        drifts = await ledger.drifts()
        metrics.checked(drifts, clock())
    except LiaisonError as error:
        log.warning("ledger_check_failed", reason=error.reason)
    except Exception:  # a mistake of ours must not end the watch for good
        log.exception("ledger_check_failed")
    else:
        for drift in drifts:
            if drift.sum_minor or drift.carried_minor:
                log.critical(
                    "ledger_drifts",
                    currency=drift.currency,
                    sum_minor=drift.sum_minor,
                    carried_minor=drift.carried_minor,
                )
