"""The Temporal side of tasks: starts their workflows and sends them updates."""

from typing import Any, TypeVar

from temporalio.common import SearchAttributePair, TypedSearchAttributes
from temporalio.workflow import UpdateMethodMultiParam

from workflows import ids
from workflows.task.model import (
    CancelTask,
    EndSelection,
    PublishedTask,
    SelectApplications,
    Selection,
    State,
)
from workflows.task.workflow import TaskWorkflow
from workflows.task_queues import Domain
from workflows.temporal.client import Workflows, update_id
from workflows.temporal.search_attributes import BRAND, DEADLINE, STATE

Command = TypeVar("Command")


class TaskWorkflowClient:
    """The id of an update is the caller's `request_id` under the update's name: a repeated request
    gets its first answer."""

    def __init__(self, workflows: Workflows) -> None:
        self._workflows = workflows

    async def start(self, task: PublishedTask) -> None:
        await self._workflows.start_workflow(
            TaskWorkflow.run,
            task,
            domain=Domain.TASKS,
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
        await self._update(task_id, TaskWorkflow.select_applications, command, request_id)

    async def cancel(self, task_id: str, actor: str, comment: str, request_id: str) -> None:
        command = CancelTask(actor, comment)
        await self._update(task_id, TaskWorkflow.cancel_task, command, request_id)

    async def end_selection(self, task_id: str, actor: str, comment: str, request_id: str) -> None:
        command = EndSelection(actor, comment)
        await self._update(task_id, TaskWorkflow.end_selection, command, request_id)

    async def _update(
        self,
        task_id: str,
        update: UpdateMethodMultiParam[[Any, Command], None],
        command: Command,
        request_id: str,
    ) -> None:
        await self._workflows.execute_update(
            ids.task(task_id),
            update,
            command,
            update_id=update_id(update, request_id),
        )
