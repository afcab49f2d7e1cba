"""The Temporal side: commands for the workflows of assignments and disputes."""

from services.disputes.handlers import NotUnderWay
from workflows import ids
from workflows.assignment.model import OpenDispute
from workflows.client import NotRunning, Workflows
from workflows.dispute.state import Dispute


class TemporalRuns:
    """An update's id is made of its caller's `request_id`: repeating gets the first answer."""

    def __init__(self, workflows: Workflows) -> None:
        self._workflows = workflows

    async def open(self, assignment_id: str, order: OpenDispute, command_id: str) -> Dispute:
        return await self._update(ids.assignment(assignment_id), "open_dispute", order, command_id)

    async def command(self, dispute_id: str, name: str, order: object, command_id: str) -> Dispute:
        return await self._update(ids.dispute(dispute_id), name, order, command_id)

    async def _update(self, workflow_id: str, name: str, order: object, command_id: str) -> Dispute:
        try:
            return await self._workflows.execute_update(
                workflow_id,
                name,
                order,
                update_id=f"{name}:{command_id}",
                result_type=Dispute,
            )
        except NotRunning as error:
            raise NotUnderWay from error
