"""The Temporal side of assignments: sends updates to their workflows."""

from typing import Any

from temporalio.workflow import UpdateMethodMultiParam

from services.tasks.assignments.handlers import WorkflowCommand
from workflows import ids
from workflows.assignment import model
from workflows.assignment.workflow import AssignmentWorkflow
from workflows.errors import NotRunning
from workflows.temporal.client import Workflows

# The update that takes each command.
UPDATES: dict[type[WorkflowCommand], UpdateMethodMultiParam[[Any, Any], None]] = {
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


class AssignmentWorkflowClient:
    """The id of an update is the actor and its `request_id` under the command's name, because both
    sides may send the same command: a repeated request gets its first answer."""

    def __init__(self, workflows: Workflows) -> None:
        self._workflows = workflows

    async def send(self, assignment_id: str, command: WorkflowCommand, request_id: str) -> None:
        try:
            await self._workflows.execute_update(
                ids.assignment(assignment_id),
                UPDATES[type(command)],
                command,
                update_id=f"{type(command).__name__}:{command.actor}:{request_id}",
            )
        except NotRunning as error:
            raise NotRunning from error
