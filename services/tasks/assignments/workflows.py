"""The Temporal side of assignments: sends updates to their workflows."""

from typing import Any

from temporalio.workflow import UpdateMethodMultiParam

from services.tasks.assignments.handlers import WorkflowCommand
from workflows import ids
from workflows.assignment import commands
from workflows.assignment.workflow import AssignmentWorkflow
from workflows.temporal.client import Workflows, update_id

# The update that takes each command.
UPDATES: dict[type[WorkflowCommand], UpdateMethodMultiParam[[Any, Any], None]] = {
    commands.SubmitWork: AssignmentWorkflow.submit_work,
    commands.RequestChanges: AssignmentWorkflow.request_changes,
    commands.ApproveWork: AssignmentWorkflow.approve_work,
    commands.CommentOnExpiry: AssignmentWorkflow.comment_on_expiry,
    commands.ReopenAssignment: AssignmentWorkflow.reopen_assignment,
    commands.CreateProposal: AssignmentWorkflow.create_proposal,
    commands.AcceptProposal: AssignmentWorkflow.accept_proposal,
    commands.DeclineProposal: AssignmentWorkflow.decline_proposal,
    commands.WithdrawProposal: AssignmentWorkflow.withdraw_proposal,
    commands.RecordShipment: AssignmentWorkflow.record_shipment,
    commands.AcknowledgeReceipt: AssignmentWorkflow.acknowledge_receipt,
    commands.OverrideAssignment: AssignmentWorkflow.override_assignment,
}


class AssignmentWorkflowClient:
    """The id of an update is the actor and its `request_id` under the update's name, because both
    sides may send the same command: a repeated request gets its first answer."""

    def __init__(self, workflows: Workflows) -> None:
        self._workflows = workflows

    async def send(self, assignment_id: str, command: WorkflowCommand, request_id: str) -> None:
        update = UPDATES[type(command)]
        await self._workflows.execute_update(
            ids.assignment(assignment_id),
            update,
            command,
            update_id=update_id(update, f"{command.actor}:{request_id}"),
        )
