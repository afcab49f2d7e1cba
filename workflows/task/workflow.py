"""The task workflow: the two deadlines of a published task, its slots, and an assignment for each
selected creator. The rules are in `rules`."""

import asyncio
import copy
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from temporalio import workflow
from temporalio.common import (
    RetryPolicy,
    SearchAttributePair,
    SearchAttributeUpdate,
    TypedSearchAttributes,
)
from temporalio.exceptions import ActivityError, ApplicationError, ChildWorkflowError

with workflow.unsafe.imports_passed_through():
    from workflows import ids
    from workflows.assignment.inputs import AssignmentResult, StartAssignment
    from workflows.assignment.model import State as AssignmentState
    from workflows.assignment.workflow import AssignmentWorkflow
    from workflows.notices import Batch, Notice
    from workflows.task import rules
    from workflows.task.activity_interface import TaskActivityInterface
    from workflows.task.inputs import LapseApplications, RecordTask, ReserveRewards
    from workflows.task.model import (
        CancelTask,
        EndSelection,
        PublishedTask,
        SelectApplications,
        Selected,
        State,
        Task,
    )
    from workflows.task.notices import notices
    from workflows.task.ui_details import describe
    from workflows.temporal.failures import refusing
    from workflows.temporal.search_attributes import BRAND, DEADLINE, STATE
    from workflows.temporal.tracing import current_trace, in_trace

if TYPE_CHECKING:
    from opentelemetry.context import Context

_WRITE_SECONDS = timedelta(seconds=10)
_RETRY = RetryPolicy(
    initial_interval=timedelta(milliseconds=200), maximum_interval=timedelta(minutes=2)
)
# Longer waits become timers; otherwise an outage would fill the history with heartbeats.
_LOCAL_RETRY_THRESHOLD = timedelta(seconds=4)


@workflow.defn(name="Task")
class TaskWorkflow:
    @workflow.init
    def __init__(self, published: PublishedTask) -> None:
        self._task = Task(published)
        self._published_state = State.OPEN
        # The tasks service recorded the publishing, which is transition 1.
        self._recorded_sequence = self._task.sequence
        self._recorded_assignments = 0
        self._has_unselected = False
        self._notices: list[Notice] = []
        self._started: set[str] = set()
        self._child_tasks: set[asyncio.Task[None]] = set()
        self._trace: Context | None = None

    @workflow.run
    async def run(self, published: PublishedTask) -> State:
        while True:
            sequence = self._task.sequence
            with in_trace(self._trace):
                self._trace = None
                await self._start_assignments()
                await self._record()
            if self._has_unselected and self._task.state not in (State.OPEN, State.SELECTING):
                await self._lapse_others()
            if self._notices:
                await self._notify_brand()
            if self._task.sequence > sequence:
                continue  # something more was decided meanwhile
            if rules.is_over(self._task):
                break
            await self._wait_for_event()
        await workflow.wait_condition(workflow.all_handlers_finished)
        return self._task.state

    @workflow.update
    async def select_applications(self, command: SelectApplications) -> None:
        self._apply(rules.claim, command)
        self._describe()
        try:
            await self._reserve_rewards(command)
        except ActivityError as error:
            rules.give_back(self._task, command)
            self._describe()
            if isinstance(error.cause, ApplicationError):
                raise error.cause from error
            raise
        rules.select(self._task, command, workflow.now())
        self._trace = current_trace()
        await self._until_recorded()

    @select_applications.validator
    def _check_select_applications(self, command: SelectApplications) -> None:
        self._check(rules.claim, command)

    @workflow.update
    async def cancel_task(self, command: CancelTask) -> None:
        self._apply(rules.cancel, command)
        self._trace = current_trace()
        await self._until_recorded()

    @cancel_task.validator
    def _check_cancel_task(self, command: CancelTask) -> None:
        self._check(rules.cancel, command)

    @workflow.update
    async def end_selection(self, command: EndSelection) -> None:
        self._apply(rules.end_selection, command)
        self._trace = current_trace()
        await self._until_recorded()

    @end_selection.validator
    def _check_end_selection(self, command: EndSelection) -> None:
        self._check(rules.end_selection, command)

    def _check(self, rule: Callable[..., None], command: object) -> None:
        trial = copy.deepcopy(self._task)
        rules.elapse(trial, workflow.now())
        with refusing():
            rule(trial, command, workflow.now())

    def _apply(self, rule: Callable[..., None], command: object) -> None:
        """Passes due deadlines before a command, so that a worker that is killed and decides again
        decides in the same order."""
        rules.elapse(self._task, workflow.now())
        with refusing():
            rule(self._task, command, workflow.now())

    async def _reserve_rewards(self, command: SelectApplications) -> None:
        """Reserves escrow before anyone is assigned; refused if funds are short."""
        terms = self._task.published.terms
        if terms.is_escrowed:
            await workflow.execute_activity_method(
                TaskActivityInterface.reserve_rewards,
                ReserveRewards(
                    terms.brand_id, terms.currency, terms.reward_minor, command.selections
                ),
                start_to_close_timeout=_WRITE_SECONDS,
                retry_policy=_RETRY,
                summary=f"Reserve {len(command.selections)} reward(s)",
            )

    async def _until_recorded(self) -> None:
        sequence = self._task.sequence
        await workflow.wait_condition(lambda: self._recorded_sequence >= sequence)

    async def _start_assignments(self) -> None:
        for selected in self._task.selected:
            if selected.application_id not in self._started:
                self._started.add(selected.application_id)
                handle = await self._start_assignment(selected)
                task = asyncio.create_task(self._await_end(handle))
                self._child_tasks.add(task)
                task.add_done_callback(self._child_tasks.discard)

    async def _start_assignment(
        self, selected: Selected
    ) -> workflow.ChildWorkflowHandle[AssignmentWorkflow, AssignmentResult]:
        published = self._task.published
        return await workflow.start_child_workflow(
            AssignmentWorkflow.run,
            self._start_of(selected),
            id=ids.assignment(selected.application_id),
            parent_close_policy=workflow.ParentClosePolicy.ABANDON,
            static_summary=f"creators/{selected.creator_id} on tasks/{published.id}",
            search_attributes=TypedSearchAttributes(
                [
                    SearchAttributePair(STATE, AssignmentState.IN_PROGRESS),
                    SearchAttributePair(BRAND, published.terms.brand_id),
                    SearchAttributePair(DEADLINE, published.terms.submission_deadline_time),
                ]
            ),
        )

    def _start_of(self, selected: Selected) -> StartAssignment:
        return StartAssignment(
            selected.application_id,
            selected.creator_id,
            self._task.published.terms,
            selected.select_time,
        )

    async def _await_end(
        self, handle: workflow.ChildWorkflowHandle[AssignmentWorkflow, AssignmentResult]
    ) -> None:
        try:
            await handle
        except ChildWorkflowError:
            workflow.logger.warning("An assignment was terminated")
        rules.end_assignment(self._task, workflow.now())
        self._describe()

    def _describe(self) -> None:
        workflow.set_current_details(describe(self._task))

    async def _record(self) -> None:
        task = self._task
        self._describe()
        while self._recorded_sequence < task.sequence:
            sequence, selected = task.sequence, len(task.selected)
            transitions = rules.transitions_after(task, self._recorded_sequence)
            if task.state is not self._published_state:
                self._published_state = task.state
                workflow.upsert_search_attributes([STATE.value_set(task.state), _deadline(task)])
            self._has_unselected = await workflow.execute_local_activity_method(
                TaskActivityInterface.record_task,
                RecordTask(
                    task.published.id,
                    sequence,
                    task.state,
                    task.selected_ids,
                    [
                        self._start_of(one)
                        for one in task.selected[self._recorded_assignments : selected]
                    ],
                    transitions,
                ),
                start_to_close_timeout=_WRITE_SECONDS,
                retry_policy=_RETRY,
                local_retry_threshold=_LOCAL_RETRY_THRESHOLD,
                summary=", ".join(transition.event for transition in transitions),
            )
            for transition in transitions:
                self._notices += notices(task, transition)
            self._recorded_sequence, self._recorded_assignments = sequence, selected

    async def _lapse_others(self) -> None:
        published, cancellation = self._task.published, self._task.cancellation
        await workflow.execute_activity_method(
            TaskActivityInterface.lapse_applications,
            LapseApplications(
                published.id,
                published.terms.title,
                cancellation.comment if cancellation else "",
                self._task.selected_ids,
            ),
            start_to_close_timeout=timedelta(hours=1),
            heartbeat_timeout=timedelta(minutes=1),
            retry_policy=_RETRY,
            summary="Notify those who were not selected",
        )
        self._has_unselected = False

    async def _notify_brand(self) -> None:
        batch, self._notices = Batch(self._notices), []
        await workflow.execute_activity_method(
            TaskActivityInterface.send_task_notices,
            batch,
            start_to_close_timeout=_WRITE_SECONDS,
            retry_policy=_RETRY,
            summary="Notify the brand of actions on its behalf",
        )

    async def _wait_for_event(self) -> None:
        """Waits for a command, the end of an assignment, or the next deadline."""
        task = self._task
        deadline = rules.next_deadline(task)
        sequence = task.sequence
        try:
            await workflow.wait_condition(
                lambda: task.sequence > sequence or rules.next_deadline(task) != deadline,
                timeout=(
                    max(timedelta(), deadline - workflow.now()) if deadline is not None else None
                ),
                timeout_summary=(
                    "Applications close" if task.state is State.OPEN else "Selection closes"
                ),
            )
        except TimeoutError:
            # A selection at the same instant goes first.
            if rules.next_deadline(task) == deadline and deadline is not None:
                rules.elapse(task, max(workflow.now(), deadline))


def _deadline(task: Task) -> SearchAttributeUpdate[datetime]:
    """The deadline search attribute; unset once only assignments are waited for."""
    if task.state is State.SELECTING:
        return DEADLINE.value_set(task.published.selection_deadline_time)
    return DEADLINE.value_unset()
