"""The assignment workflow: clocks, commands, payout and disputes of one assignment.

The rules are pure and in `rules`. Updates (most of them are in `updates`) and signals change the
assignment; `run` records the transitions, starts child workflows and waits for the next clock.
"""

import asyncio
import copy
from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from temporalio import workflow
from temporalio.common import RetryPolicy

with workflow.unsafe.imports_passed_through():
    from workflows.assignment.activity_interface import AssignmentActivityInterface
    from workflows.assignment.child_workflows import (
        Handle,
        PayoutChild,
        Replaced,
        run_dispute,
    )
    from workflows.assignment.commands import (
        OpenDispute,
        OverrideAssignment,
    )
    from workflows.assignment.inputs import (
        AssignmentResult,
        RecordAssignment,
        SettleReward,
        StartAssignment,
    )
    from workflows.assignment.model import Action, PublishArticles, State, Transition
    from workflows.assignment.notices import notices
    from workflows.assignment.rules import (
        disputes,
        overrides,
        rewards,
        submissions,
        transitions,
    )
    from workflows.assignment.ui_details import describe, next_clock
    from workflows.assignment.updates import AssignmentUpdates
    from workflows.dispute.model import Dispute, DisputeResult, Outcome
    from workflows.notices import Notice
    from workflows.payout.activity_interface import PayoutActivityInterface
    from workflows.payout.model import PAYOUT_REPORTED, PayoutReport
    from workflows.payout.model import State as PayoutState
    from workflows.temporal.failures import refusing
    from workflows.temporal.search_attributes import DEADLINE, STATE
    from workflows.temporal.tracing import current_trace, in_trace

if TYPE_CHECKING:
    from opentelemetry.context import Context

# Mandatory writes have no total timeout: an outage delays an assignment and never fails it.
_WRITE_SECONDS = timedelta(seconds=10)
_RETRY = RetryPolicy(
    initial_interval=timedelta(milliseconds=200), maximum_interval=timedelta(minutes=2)
)
# Longer waits become timers; otherwise an outage would fill the history with heartbeats.
_LOCAL_RETRY_THRESHOLD = timedelta(seconds=4)
# Pending notices and publication orders are retried with the next transition, or after this delay,
# doubled each time. An article is usually on the feed within 5 minutes (R100).
_FIRST_RETRY_SECONDS = 60.0
_LONGEST_RETRY_SECONDS = 3600.0
_LONGEST_ORDER_RETRY_SECONDS = 300.0
_PAYING = (Outcome.PAY_IN_FULL, Outcome.PAY_PARTIAL)


@workflow.defn(name="Assignment")
class AssignmentWorkflow(AssignmentUpdates):
    @workflow.init
    def __init__(self, start: StartAssignment) -> None:
        self._assignment, first = submissions.start(
            start.id, start.creator_id, start.terms, start.select_time
        )
        # The starter of the workflow has set these.
        self._published_attributes: tuple[State, datetime | None] = (
            self._assignment.state,
            start.terms.submission_deadline_time,
        )
        self._recorded_sequence = 0
        self._unrecorded: list[Transition] = []
        self._pending_notices: list[Notice] = []
        self._pending_publication: PublishArticles | None = None
        self._retry_seconds = _FIRST_RETRY_SECONDS
        self._dispute_to_start: Dispute | None = None
        self._payout = PayoutChild()
        self._pay_now_requested = False
        self._child_tasks: set[asyncio.Task[None]] = set()
        self._trace: Context | None = None
        self._child_error: BaseException | None = None
        self._add(first)

    @workflow.run
    async def run(self, start: StartAssignment) -> AssignmentResult:
        self._trace = current_trace()
        while True:
            if self._child_error is not None:
                raise self._child_error
            with in_trace(self._trace):
                self._trace = None
                # Before anything else: no outage may let held money go.
                await self._payout.signal_hold(self._assignment)
                await self._record()
                await self._start_children()
            if self._has_ended():
                break
            await self._wait_for_event()
        if not self._assignment.has_payout and start.terms.is_escrowed:
            await workflow.execute_activity_method(
                PayoutActivityInterface.release_reward,
                self._assignment.id,
                start_to_close_timeout=_WRITE_SECONDS,
                retry_policy=_RETRY,
                summary="Give the reserved reward back to the brand",
            )
        await workflow.wait_condition(workflow.all_handlers_finished)
        return AssignmentResult(self._assignment.state)

    # Commands that do more than change the assignment

    @workflow.update
    async def override_assignment(self, command: OverrideAssignment) -> None:
        self._execute(overrides.override_assignment, command)
        self._pay_now_requested |= command.action is Action.RETRY_REWARD
        await self._until_recorded()

    @override_assignment.validator
    def _check_override_assignment(self, command: OverrideAssignment) -> None:
        self._check(overrides.override_assignment, command)

    @workflow.update
    async def open_dispute(self, command: OpenDispute) -> Dispute:
        dispute = self._open_dispute(command)
        self._trace = current_trace()
        await self._until_recorded()
        return dispute

    @open_dispute.validator
    def _check_open_dispute(self, command: OpenDispute) -> None:
        self._check(disputes.open_dispute, command)

    # Signals

    @workflow.signal(name=PAYOUT_REPORTED)
    def payout_reported(self, report: PayoutReport) -> None:
        """The payout reports its progress before it has ended."""
        self._elapse(workflow.now())
        for transition in rewards.report(self._assignment, report, workflow.now()):
            self._add(transition)

    @workflow.signal
    def pay_now(self) -> None:
        """An operator requests payment of a reward whose payout has no running workflow: it was
        terminated, or its money came back after it had ended."""
        self._payout.lose()
        self._pay_now_requested = True

    # Executing commands

    def _check(self, rule: Callable[..., Any], command: object) -> None:
        trial = copy.deepcopy(self._assignment)
        submissions.elapse(trial, workflow.now())
        with refusing():
            rule(trial, command, workflow.now())

    async def _apply(self, rule: Callable[..., Transition], command: object) -> None:
        self._execute(rule, command)
        await self._until_recorded()

    def _execute(self, rule: Callable[..., Transition], command: object) -> None:
        self._elapse(workflow.now())
        with refusing():
            self._add(rule(self._assignment, command, workflow.now()))
        self._trace = current_trace()

    def _elapse(self, now: datetime) -> None:
        """Fires due clocks before a command, so that a worker that is killed and decides again
        decides in the same order."""
        with refusing():
            happened = submissions.elapse(self._assignment, now)
        for transition, dispute in happened:
            self._dispute_to_start = dispute or self._dispute_to_start
            self._add(transition)

    def _open_dispute(self, command: OpenDispute) -> Dispute:
        self._elapse(workflow.now())
        with refusing():
            dispute, transition = disputes.open_dispute(self._assignment, command, workflow.now())
        self._dispute_to_start = dispute
        self._add(transition)
        return dispute

    async def _until_recorded(self) -> None:
        """An answered command is in the read model already."""
        sequence = self._assignment.sequence
        await workflow.wait_condition(lambda: self._recorded_sequence >= sequence)

    def _add(self, transition: Transition) -> None:
        """Adds a transition to those to record, with its notices and its follow-ups."""
        following: Transition | None = transition
        while following is not None:
            self._unrecorded.append(following)
            self._pending_notices.extend(notices(self._assignment, following))
            self._pending_publication = (
                transitions.publication(self._assignment, following) or self._pending_publication
            )
            following = rewards.follow_up(self._assignment, workflow.now())

    # Steps of `run`

    async def _record(self) -> None:
        """Writes transitions to the read model, in order and exactly once; retries what is
        pending."""
        workflow.set_current_details(describe(self._assignment))
        if not self._unrecorded and not self._has_pending:
            return
        unrecorded, self._unrecorded = self._unrecorded, []
        pending, self._pending_notices = self._pending_notices, []
        unpublished, self._pending_publication = self._pending_publication, None
        self._publish_attributes()
        left = await workflow.execute_local_activity_method(
            AssignmentActivityInterface.record_assignment,
            RecordAssignment(self._assignment, unrecorded, pending, unpublished),
            summary=", ".join(transition.event for transition in unrecorded),
            start_to_close_timeout=_WRITE_SECONDS,
            retry_policy=_RETRY,
            local_retry_threshold=_LOCAL_RETRY_THRESHOLD,
        )
        self._pending_notices = left.notices + self._pending_notices
        self._pending_publication = self._pending_publication or left.publication
        longest = _LONGEST_ORDER_RETRY_SECONDS if left.publication else _LONGEST_RETRY_SECONDS
        self._retry_seconds = (
            min(2 * self._retry_seconds, longest)
            if left.notices or left.publication
            else _FIRST_RETRY_SECONDS
        )
        if unrecorded:
            self._recorded_sequence = unrecorded[-1].sequence

    def _publish_attributes(self) -> None:
        """Sets search attributes. Each upsert costs an event: only changes, and none at the end."""
        a = self._assignment
        due_time = a.clock.due_time if a.clock is not None and a.clock.held_time is None else None
        published = self._published_attributes
        self._published_attributes = (a.state, due_time)
        is_over = published[0] is a.state and transitions.is_over(a)
        if self._published_attributes == published or is_over:
            return
        workflow.upsert_search_attributes(
            [
                STATE.value_set(a.state),
                DEADLINE.value_set(due_time) if due_time else DEADLINE.value_unset(),
            ]
        )

    async def _start_children(self) -> None:
        if (dispute := self._dispute_to_start) is not None:
            self._dispute_to_start = None
            self._start_child_task(self._dispute(dispute))
        if self._pay_now_requested:
            self._pay_now_requested = False
            if await self._payout.needs_restart():
                await self._start_payout(is_restarted=True)
        if self._assignment.has_payout and not self._payout.is_started:
            await self._start_payout()

    async def _wait_for_event(self) -> None:
        """Waits for a command, a signal or the next clock, after which the timer is named."""
        a = self._assignment
        due_time = submissions.next_time(a)
        waits = [(due_time - workflow.now()).total_seconds()] if due_time else []
        if self._has_pending:
            waits.append(self._retry_seconds)
        try:
            await workflow.wait_condition(
                self._has_work,
                timeout=max(0.0, min(waits)) if waits else None,
                timeout_summary=next_clock(a),
            )
        except TimeoutError:
            # A timer may fire slightly before its due time by this clock; it counts all the same.
            if due_time is not None and (not self._has_pending or due_time <= workflow.now()):
                self._elapse(max(workflow.now(), due_time))

    def _has_work(self) -> bool:
        """Whether `run` has something to do."""
        return (
            bool(self._unrecorded)
            or self._pay_now_requested
            or self._child_error is not None
            or self._has_ended()
        )

    @property
    def _has_pending(self) -> bool:
        """Whether notices or a publication order are still to be sent."""
        return bool(self._pending_notices) or self._pending_publication is not None

    def _has_ended(self) -> bool:
        """Nothing can happen any more, and everything is recorded and sent."""
        return (
            transitions.is_over(self._assignment)
            and not self._payout.is_running
            and not self._unrecorded
            and not self._has_pending
            and not self._pay_now_requested
        )

    async def _start_payout(self, *, is_restarted: bool = False) -> None:
        handle = await self._payout.start(self._assignment, is_restarted=is_restarted)
        self._start_child_task(self._await_payout(handle))

    def _start_child_task(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(coroutine)
        self._child_tasks.add(task)
        task.add_done_callback(self._child_task_done)

    def _child_task_done(self, task: asyncio.Task[None]) -> None:
        """An unexpected error in a child task fails `run`, where operators see it."""
        self._child_tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._child_error = error

    async def _await_payout(self, handle: Handle) -> None:
        try:
            result = await self._payout.result(handle)
        except Replaced:
            return
        if result is None:
            # An operator terminated it, and has to take care of the reward.
            self._add(rewards.report_payout_failed(self._assignment, workflow.now()))
        elif result.state is PayoutState.PAID:
            for transition in rewards.report_reward_received(self._assignment, workflow.now()):
                self._add(transition)
        elif result.state is PayoutState.WRITTEN_OFF:
            self._add(rewards.report_reward_written_off(self._assignment, workflow.now()))

    async def _dispute(self, dispute: Dispute) -> None:
        """Runs a dispute to its end and applies its decision."""
        await self._close_dispute(dispute, await run_dispute(self._assignment, dispute))

    async def _close_dispute(self, dispute: Dispute, result: DisputeResult) -> None:
        decision = result.decision
        left_minor = disputes.settlement(self._assignment, decision)
        is_overtaken = left_minor is not None and not await self._settle(left_minor)
        self._pending_notices.extend(result.pending)
        self._add(
            disputes.close_dispute(
                self._assignment,
                decision,
                result.mediator,
                workflow.now(),
                dispute.ground,
                is_overtaken=is_overtaken,
            )
        )
        if is_overtaken:
            self._add(disputes.report_overtaken(self._assignment, workflow.now()))
        elif decision is not None and decision.outcome in _PAYING:
            self._pay_now_requested = True

    async def _settle(self, left_minor: int) -> bool:
        """Lowers or releases the held payout; False if the payouts service finds it too late. The
        dispute holds the payout meanwhile."""
        a = self._assignment
        is_settled = await workflow.execute_activity_method(
            AssignmentActivityInterface.settle_reward,
            SettleReward(a.id, a.terms.currency, left_minor),
            start_to_close_timeout=_WRITE_SECONDS,
            retry_policy=_RETRY,
            summary="Lower the reward as decided" if left_minor else "Give the reward back",
        )
        if is_settled:
            await self._payout.signal_settled(left_minor)
        return is_settled
