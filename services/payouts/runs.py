"""The Temporal side of payouts: telling a payout's workflow that something was booked."""

import asyncio

import structlog

from servicekit.errors import LiaisonError
from services.payouts.domain import Payout, State
from workflows import ids
from workflows.client import NotRunning, Workflows
from workflows.payout.state import PayoutChanged

log = structlog.get_logger()

# What a workflow waits for; that an attempt is on its way it knows from having sent it.
NEWS = frozenset(
    {
        State.PAID,
        State.FAILED,
        State.RELEASED,
        State.UNCLAIMED,
        State.BLOCKED,
        State.WRITTEN_OFF,
    }
)

# Below the time that PayPal waits for a webhook's answer.
_TELL_SECONDS = 5.0


class PayoutRuns:
    def __init__(self, workflows: Workflows) -> None:
        self._workflows = workflows

    async def tell(self, payout: Payout) -> None:
        """What is booked is booked: a workflow that cannot be told now asks by itself later."""
        change = PayoutChanged(payout.state, len(payout.attempts))
        try:
            async with asyncio.timeout(_TELL_SECONDS):
                await self._workflows.signal(ids.payout(payout.id), "payout_changed", change)
        except NotRunning:
            log.info("payout_has_no_workflow", payout=payout.id)
        except (LiaisonError, TimeoutError) as error:
            log.warning("payout_workflow_not_told", payout=payout.id, error=str(error))
