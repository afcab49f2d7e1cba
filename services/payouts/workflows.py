"""The Temporal side of payouts: telling a payout's workflow that something was booked, or that an
operator has its next attempt made."""

import asyncio
from collections.abc import Callable
from typing import Any

import structlog

from servicekit.errors import LiaisonError
from services.payouts.domain import Payout, State
from workflows import ids
from workflows.assignment.workflow import AssignmentWorkflow
from workflows.client import NotRunning, Workflows
from workflows.payout.model import PayoutChanged, PayoutTerms
from workflows.payout.workflow import PayoutWorkflow
from workflows.policy import STANDARD
from workflows.task_queues import Domain

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
            await self._workflows.signal(
                ids.payout(payout.id), PayoutWorkflow.payout_changed, change
            )
        except NotRunning:
            log.info("payout_has_no_workflow", payout=payout.id)

    async def retry(self, payout: Payout) -> None:
        """Has the workflow make the next attempt, after it has taken back what is unclaimed. Where
        none runs any more, since it was ended by force or the money came back when it had ended,
        another one begins: the assignment's own for as long as that is open, since a dispute may
        hold it. Before the first attempt none does, because nothing is due yet.

        Raises:
            Unavailable: it could not be told.
        """
        await self.inform(payout)
        if await self._is_notified(ids.payout(payout.id), PayoutWorkflow.retry):
            return
        if await self._is_notified(ids.assignment(payout.id), AssignmentWorkflow.pay_now):
            return
        if payout.state not in (State.FAILED, State.UNCLAIMED):
            log.warning("payout_has_no_workflow", payout=payout.id)
            return
        await self._workflows.start_workflow(
            PayoutWorkflow.run,
            _terms_of(payout),
            workflow_id=ids.payout(payout.id),
            domain=Domain.PAYOUTS,
            static_summary=f"Reward of creators/{payout.creator} that came back",
            is_started_anew=True,
        )

    async def _is_notified(self, workflow_id: str, signal: Callable[[Any], None]) -> bool:
        try:
            await self._workflows.signal(workflow_id, signal)
        except NotRunning:
            return False
        return True


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
        is_started_anew=True,
    )
