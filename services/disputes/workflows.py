"""The Temporal side of disputes: sends updates to their workflows and to assignments'."""

from typing import Any, TypeVar

from temporalio.workflow import UpdateMethodMultiParam

from services.disputes.handlers import DisputeCommand
from workflows import ids
from workflows.assignment.commands import OpenDispute
from workflows.assignment.workflow import AssignmentWorkflow
from workflows.dispute.model import Claim, Decide, Dispute, Withdraw
from workflows.dispute.workflow import DisputeWorkflow
from workflows.temporal.client import Workflows, update_id

C = TypeVar("C")

# The update that takes each command of a dispute.
UPDATES: dict[type[DisputeCommand], UpdateMethodMultiParam[[Any, Any], Dispute]] = {
    Claim: DisputeWorkflow.claim,
    Decide: DisputeWorkflow.decide,
    Withdraw: DisputeWorkflow.withdraw,
}


class DisputeWorkflowClient:
    """The id of an update is derived from the caller's `request_id`: a repeated request gets its
    first answer."""

    def __init__(self, workflows: Workflows) -> None:
        self._workflows = workflows

    async def open(self, assignment_id: str, command: OpenDispute, command_id: str) -> Dispute:
        workflow_id = ids.assignment(assignment_id)
        return await self._update(workflow_id, AssignmentWorkflow.open_dispute, command, command_id)

    async def send(self, dispute_id: str, command: DisputeCommand, command_id: str) -> Dispute:
        update = UPDATES[type(command)]
        return await self._update(ids.dispute(dispute_id), update, command, command_id)

    async def _update(
        self,
        workflow_id: str,
        update: UpdateMethodMultiParam[[Any, C], Dispute],
        command: C,
        command_id: str,
    ) -> Dispute:
        return await self._workflows.execute_update(
            workflow_id,
            update,
            command,
            update_id=update_id(update, command_id),
        )
