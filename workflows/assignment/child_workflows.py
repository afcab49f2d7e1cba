"""The child workflows of an assignment: its payout, and its disputes. What follows from their
results is decided in `rules`."""

from temporalio import workflow
from temporalio.common import WorkflowIDReusePolicy
from temporalio.exceptions import ChildWorkflowError

with workflow.unsafe.imports_passed_through():
    from workflows import ids
    from workflows.assignment.model import SYSTEM, Assignment
    from workflows.dispute.model import Dispute, DisputeResult
    from workflows.dispute.workflow import DisputeWorkflow
    from workflows.payout.model import PayoutChanged, PayoutResult, PayoutTerms
    from workflows.payout.model import State as PayoutState
    from workflows.payout.workflow import PayoutWorkflow
    from workflows.task_queues import Domain, sibling
    from workflows.temporal.signals import signal

Handle = workflow.ChildWorkflowHandle[PayoutWorkflow, PayoutResult]


class PayoutChild:
    """The payout of an assignment, once it is due; started anew when it has no running workflow."""

    def __init__(self) -> None:
        self._handle: Handle | None = None
        self._is_held = False
        # It was terminated, or its money came back after it had ended.
        self._is_lost = False

    @property
    def is_started(self) -> bool:
        return self._handle is not None

    @property
    def is_running(self) -> bool:
        return self._handle is not None and not self._handle.done()

    def lose(self) -> None:
        """The next `pay_now` restarts it."""
        self._is_lost = True

    async def start(self, a: Assignment, *, is_restarted: bool = False) -> Handle:
        self._is_held = a.payout_is_held
        self._handle = await workflow.start_child_workflow(
            PayoutWorkflow.run,
            _terms(a, is_restarted=is_restarted),
            id=ids.payout(a.id),
            task_queue=sibling(workflow.info().task_queue, Domain.PAYOUTS),
            # One started elsewhere would not know of disputes, nor report to this workflow.
            id_reuse_policy=WorkflowIDReusePolicy.TERMINATE_IF_RUNNING,
            parent_close_policy=workflow.ParentClosePolicy.ABANDON,
            static_summary=f"Reward of assignments/{a.id}",
        )
        self._is_lost = False
        return self._handle

    async def result(self, handle: Handle) -> PayoutResult | None:
        """None if an operator terminated it.

        Raises:
            Replaced: another run has taken its place.
        """
        try:
            return await handle
        except ChildWorkflowError:
            if handle is not self._handle:
                raise Replaced from None
            self._is_lost = True
            return None

    async def signal_hold(self, a: Assignment) -> None:
        if self._handle is not None and self._is_held != a.payout_is_held:
            self._is_held = a.payout_is_held
            await signal(self._handle, PayoutWorkflow.set_hold, self._is_held)

    async def signal_settled(self, left_minor: int) -> None:
        """A mediator lowered its amount, or left nothing of it. It may be about to make its
        reservation."""
        if self._handle is None:
            return
        if left_minor:
            await signal(self._handle, PayoutWorkflow.reduce_amount, left_minor)
        else:
            released = PayoutChanged(PayoutState.RELEASED, 0)
            await signal(self._handle, PayoutWorkflow.payout_changed, released)

    async def needs_restart(self) -> bool:
        """Signals a waiting payout to send its next attempt. True if it is due and has no running
        workflow that could."""
        if self._handle is None:
            return False
        if not self._handle.done():
            # The server knows first that it was terminated.
            self._is_lost = not await signal(self._handle, PayoutWorkflow.retry)
        return self._is_lost


class Replaced(Exception):
    """A payout's run was ended because another run took its place."""


async def run_dispute(a: Assignment, dispute: Dispute) -> DisputeResult:
    """Runs a dispute to its end. One that an operator terminated counts as withdrawn."""
    try:
        return await workflow.execute_child_workflow(
            DisputeWorkflow.run,
            dispute,
            id=ids.dispute(dispute.id),
            task_queue=sibling(workflow.info().task_queue, Domain.DISPUTES),
            parent_close_policy=workflow.ParentClosePolicy.ABANDON,
            static_summary=f"{dispute.ground} over assignments/{a.id}",
        )
    except ChildWorkflowError:
        return DisputeResult(mediator=SYSTEM)


def _terms(a: Assignment, *, is_restarted: bool) -> PayoutTerms:
    return PayoutTerms(
        payout_id=a.id,
        brand_id=a.terms.brand_id,
        creator_id=a.creator_id,
        currency=a.terms.currency,
        amount_minor=a.payable_minor,
        reserved_minor=a.terms.reward_minor if a.terms.is_escrowed else None,
        retry_interval=a.policy.payout_retry_interval,
        is_held=a.payout_is_held,
        claim_window=a.policy.claim_window,
        escalation_window=a.policy.reward_window,
        is_restarted=is_restarted,
    )
