"""The Temporal side of payouts: telling a payout's workflow that something was booked, or that an
operator has its next attempt made."""

import asyncio

import structlog

from servicekit.errors import LiaisonError
from services.payouts.domain import Payout, State
from workflows import ids
from workflows.client import NotRunning, Workflows
from workflows.payout.state import PayoutChanged, PayoutTerms
from workflows.policy import STANDARD

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
        try:
            async with asyncio.timeout(_TELL_SECONDS):
                await self.inform(payout)
        except (LiaisonError, TimeoutError) as error:
            log.warning("payout_workflow_not_told", payout=payout.id, error=str(error))

    async def inform(self, payout: Payout) -> None:
        """The same of what no workflow asks for by itself.

        Raises:
            Unavailable: it could not be told.
        """
        if payout.state not in NEWS:
            return
        change = PayoutChanged(payout.state, len(payout.attempts))
        try:
            await self._workflows.signal(ids.payout(payout.id), "payout_changed", change)
        except NotRunning:
            log.info("payout_has_no_workflow", payout=payout.id)

    async def retry(self, payout: Payout) -> None:
        """Has the workflow make the next attempt. Where none runs any more, since the money came
        back when it had ended, another one begins; before the first attempt none does, because
        nothing is due yet.

        Raises:
            Unavailable: it could not be told.
        """
        workflow_id = ids.payout(payout.id)
        await self.inform(payout)
        try:
            await self._workflows.signal(workflow_id, "retry")
        except NotRunning:
            if payout.state is not State.FAILED or not payout.attempts:
                log.warning("payout_has_no_workflow", payout=payout.id)
                return
            await self._workflows.start_workflow(
                "Payout",
                _terms_of(payout),
                workflow_id=workflow_id,
                static_summary=f"Reward of creators/{payout.creator} that came back",
                is_started_anew=True,
            )


def _terms_of(payout: Payout) -> PayoutTerms:
    """The task's own policy is not known here; the rewards that come back are paid by the standard
    one."""
    return PayoutTerms(
        payout_id=payout.id,
        brand_id=payout.brand,
        creator_id=payout.creator,
        currency=payout.amount.currency,
        amount_minor=payout.amount.amount_minor,
        reserved_minor=payout.amount.amount_minor,
        retry_interval=STANDARD.payout_retry_interval,
        attempts_made=len(payout.attempts),
    )
