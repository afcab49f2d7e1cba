"""The Temporal side: starts tasks' workflows, and sends commands to theirs and assignments'."""

from typing import Any, TypeVar

from temporalio.common import SearchAttributePair, TypedSearchAttributes
from temporalio.workflow import UpdateMethodMultiParam

from services.tasks.assignments.handlers import Order
from services.tasks.domain import NotUnderWay
from workflows import ids
from workflows.assignment import model
from workflows.assignment.workflow import AssignmentWorkflow
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
from workflows.temporal.client import NotRunning, Workflows
from workflows.temporal.search_attributes import BRAND, DEADLINE, STATE

P = TypeVar("P")

# The update that takes each command of an assignment.
UPDATES: dict[type[Order], UpdateMethodMultiParam[[Any, Any], None]] = {
    model.SubmitWork: AssignmentWorkflow.submit_work,
    model.RequestChanges: AssignmentWorkflow.request_changes,
    model.ApproveWork: AssignmentWorkflow.approve_work,
    model.CommentOnExpiry: AssignmentWorkflow.comment_on_expiry,
    model.ReopenAssignment: AssignmentWorkflow.reopen_assignment,
    model.CreateProposal: AssignmentWorkflow.create_proposal,
    model.AcceptProposal: AssignmentWorkflow.accept_proposal,
    model.DeclineProposal: AssignmentWorkflow.decline_proposal,
    model.WithdrawProposal: AssignmentWorkflow.withdraw_proposal,
    model.RecordShipment: AssignmentWorkflow.record_shipment,
    model.AcknowledgeReceipt: AssignmentWorkflow.acknowledge_receipt,
    model.OverrideAssignment: AssignmentWorkflow.override_assignment,
}


class TemporalRuns:
    """An update's id is its caller's `request_id` under the command's name, and the caller where
    both sides may send it: repeating a command gets its first answer."""

    def __init__(self, workflows: Workflows) -> None:
        self._workflows = workflows

    async def start(self, task: PublishedTask) -> None:
        await self._workflows.start_workflow(
            TaskWorkflow.run,
            task,
            workflow_id=ids.task(task.id),
            domain=Domain.TASKS,
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
        await self._update(ids.task(task_id), TaskWorkflow.select_applications, command, request_id)

    async def cancel(self, task_id: str, actor: str, comment: str, request_id: str) -> None:
        command = CancelTask(actor, comment)
        await self._update(ids.task(task_id), TaskWorkflow.cancel_task, command, request_id)

    async def end_selection(self, task_id: str, actor: str, comment: str, request_id: str) -> None:
        command = EndSelection(actor, comment)
        await self._update(ids.task(task_id), TaskWorkflow.end_selection, command, request_id)

    async def send(self, assignment_id: str, command: Order, request_id: str) -> None:
        key = f"{command.actor}:{request_id}"
        update = UPDATES[type(command)]
        await self._update(ids.assignment(assignment_id), update, command, key)

    async def _update(
        self, workflow_id: str, update: UpdateMethodMultiParam[[Any, P], None], command: P, key: str
    ) -> None:
        update_id = f"{type(command).__name__}:{key}"
        try:
            await self._workflows.execute_update(workflow_id, update, command, update_id=update_id)
        except NotRunning as error:
            raise NotUnderWay from error
