"""The Temporal side of payouts: signals a payout's workflow that its state changed, or that an
operator ordered its next attempt."""

import asyncio
from collections.abc import Callable
from typing import Any

import structlog

from servicekit.errors import LiaisonError
from services.payouts.domain import Payout, State
from workflows import ids
from workflows.assignment.workflow import AssignmentWorkflow
from workflows.errors import NotRunning
from workflows.payout.model import PayoutChanged, PayoutTerms
from workflows.payout.workflow import PayoutWorkflow
from workflows.policy import STANDARD
from workflows.task_queues import Domain
from workflows.temporal.client import Workflows

log = structlog.get_logger()

# States that a workflow waits for. It needs no signal of SENDING and SENT: it made the call.
SIGNALLED_STATES = frozenset(
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
_SIGNAL_SECONDS = 5.0


class PayoutWorkflowClient:
    def __init__(self, workflows: Workflows) -> None:
        self._workflows = workflows

    async def try_signal(self, payout: Payout) -> None:
        """Signals a change on a best-effort basis: the workflow polls later by itself."""
        try:
            async with asyncio.timeout(_SIGNAL_SECONDS):
                await self.signal(payout)
        except (LiaisonError, TimeoutError) as error:
            log.warning("payout_workflow_not_signalled", payout=payout.id, error=str(error))

    async def signal(self, payout: Payout) -> None:
        """Signals a change that the workflow does not poll for.

        Raises:
            Unavailable: Temporal could not be reached.
        """
        if payout.state not in SIGNALLED_STATES:
            return
        change = PayoutChanged(payout.state, len(payout.attempts))
        try:
            await self._workflows.signal(
                ids.payout(payout.id), PayoutWorkflow.payout_changed, change
            )
        except NotRunning:
            log.info("payout_has_no_workflow", payout=payout.id)

    async def retry(self, payout: Payout) -> None:
        """Makes the workflow send the next attempt, after it has recalled an unclaimed one.

        If the payout's workflow has ended (terminated, or the money came back afterwards), the
        assignment's workflow starts a new one while it is open, since a dispute may hold the
        payment; otherwise a new one is started here. Before the first attempt none is started,
        because nothing is due yet.

        Raises:
            Unavailable: Temporal could not be reached.
        """
        await self.signal(payout)
        if await self._is_signalled(ids.payout(payout.id), PayoutWorkflow.retry):
            return
        if await self._is_signalled(ids.assignment(payout.id), AssignmentWorkflow.pay_now):
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
            is_restarted=True,
        )

    async def _is_signalled(self, workflow_id: str, signal: Callable[[Any], None]) -> bool:
        try:
            await self._workflows.signal(workflow_id, signal)
        except NotRunning:
            return False
        return True


def _terms_of(payout: Payout) -> PayoutTerms:
    """With the standard policy's retry interval: the task's own policy is not known here."""
    return PayoutTerms(
        payout_id=payout.id,
        brand_id=payout.brand,
        creator_id=payout.creator,
        currency=payout.amount.currency,
        amount_minor=payout.amount.amount_minor,
        reserved_minor=payout.amount.amount_minor,
        retry_interval=STANDARD.payout_retry_interval,
        is_restarted=True,
    )
