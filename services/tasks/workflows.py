"""The Temporal side: starts tasks' workflows, and sends commands to theirs and assignments'."""

from temporalio.common import SearchAttributePair, TypedSearchAttributes

from services.tasks.assignments.handlers import Order
from services.tasks.domain import NotUnderWay
from workflows import ids
from workflows.client import NotRunning, Workflows
from workflows.search_attributes import BRAND, DEADLINE, STATE
from workflows.task.state import (
    CancelTask,
    EndSelection,
    PublishedTask,
    SelectApplications,
    Selection,
    State,
)


class TemporalRuns:
    """An update's id is its caller's `request_id` under the command's name, and the caller where
    both sides may send it: repeating a command gets its first answer."""

    def __init__(self, workflows: Workflows) -> None:
        self._workflows = workflows

    async def start(self, task: PublishedTask) -> None:
        await self._workflows.start_workflow(
            "Task",
            task,
            workflow_id=ids.task(task.id),
            static_summary=f"brands/{task.terms.brand_id}: {task.creator_slots} creator(s)",
            search_attributes=TypedSearchAttributes(
                [
                    SearchAttributePair(STATE, State.OPEN),
                    SearchAttributePair(BRAND, task.terms.brand_id),
                    SearchAttributePair(DEADLINE, task.application_deadline_time),
                ]
            ),
        )

    async def select(
        self, task_id: str, actor: str, selections: list[Selection], request_id: str
    ) -> None:
        command = SelectApplications(actor, selections)
        await self._update(ids.task(task_id), "select_applications", command, request_id)

    async def cancel(self, task_id: str, actor: str, comment: str, request_id: str) -> None:
        command = CancelTask(actor, comment)
        await self._update(ids.task(task_id), "cancel_task", command, request_id)

    async def end_selection(self, task_id: str, actor: str, comment: str, request_id: str) -> None:
        command = EndSelection(actor, comment)
        await self._update(ids.task(task_id), "end_selection", command, request_id)

    async def command(self, assignment_id: str, name: str, command: Order, request_id: str) -> None:
        key = f"{command.actor}:{request_id}"
        await self._update(ids.assignment(assignment_id), name, command, key)

    async def _update(self, workflow_id: str, name: str, command: object, key: str) -> None:
        try:
            await self._workflows.execute_update(
                workflow_id, name, command, update_id=f"{name}:{key}", result_type=type(None)
            )
        except NotRunning as error:
            raise NotUnderWay from error
