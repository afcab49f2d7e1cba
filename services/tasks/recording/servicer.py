"""RecordService over gRPC."""

from typing import Any

from liaison.tasks.v1 import assignments_pb2, tasks_pb2
from liaison.tasks.v1 import records_pb2 as pb
from liaison.tasks.v1.records_pb2_grpc import (
    RecordServiceServicer,
    add_RecordServiceServicer_to_server,
)

from servicekit.auth import Role
from servicekit.resource_names import parse_id
from servicekit.rpc.access import allow
from servicekit.rpc.server import Service
from servicekit.timestamps import from_timestamp
from services.tasks.assignments.domain import AssignmentRecord
from services.tasks.domain import State
from services.tasks.recording.domain import RecordedAssignment, RecordedTask
from services.tasks.recording.handlers import RecordHandlers
from workflows.assignment.messages import transition_from_message
from workflows.task.messages import transition_from_message as task_transition_from_message

ACCESS = {
    "RecordTask": allow(Role.SERVICE),
    "LapseApplications": allow(Role.SERVICE),
    "RecordAssignment": allow(Role.SERVICE),
}


class RecordServicer(RecordServiceServicer):
    def __init__(self, records: RecordHandlers) -> None:
        self._records = records

    async def RecordTask(
        self, request: pb.RecordTaskRequest, context: Any
    ) -> pb.RecordTaskResponse:
        has_waiting = await self._records.record_task(
            RecordedTask(
                task_id=parse_id("tasks/{task}", request.name),
                sequence=request.sequence,
                state=State(tasks_pb2.Task.State.Name(request.state).removeprefix("STATE_")),
                selected_ids=list(request.selected_application_ids),
                transitions=[task_transition_from_message(one) for one in request.transitions],
            )
        )
        return pb.RecordTaskResponse(has_waiting_applications=has_waiting)

    async def LapseApplications(
        self, request: pb.LapseApplicationsRequest, context: Any
    ) -> pb.LapseApplicationsResponse:
        creator_ids = await self._records.lapse_applications(
            parse_id("tasks/{task}", request.name),
            list(request.selected_application_ids),
            [parse_id("creators/{creator}", name) for name in request.notified_creators],
        )
        return pb.LapseApplicationsResponse(
            creators=[f"creators/{creator_id}" for creator_id in creator_ids]
        )

    async def RecordAssignment(
        self, request: pb.RecordAssignmentRequest, context: Any
    ) -> pb.RecordAssignmentResponse:
        assignment = request.assignment
        state = assignments_pb2.Assignment.State.Name(assignment.state)
        await self._records.record_assignment(
            RecordedAssignment(
                AssignmentRecord(
                    id=parse_id("assignments/{assignment}", assignment.name),
                    task_id=parse_id("tasks/{task}", assignment.task),
                    brand_id=parse_id("brands/{brand}", assignment.brand),
                    creator_id=parse_id("creators/{creator}", assignment.creator),
                    state=state.removeprefix("STATE_"),
                    sequence=assignment.sequence,
                    create_time=from_timestamp(assignment.create_time),
                    message=assignment.SerializeToString(),
                    # A late reward is no longer overdue once it is sent.
                    reward_is_overdue=(
                        assignment.reward_is_overdue
                        and assignment.state == assignments_pb2.Assignment.STATE_APPROVED
                    ),
                ),
                tuple(transition_from_message(one) for one in request.transitions),
            )
        )
        return pb.RecordAssignmentResponse()


def service(records: RecordHandlers) -> Service:
    return Service(
        pb.DESCRIPTOR.services_by_name["RecordService"],
        add_RecordServiceServicer_to_server,
        RecordServicer(records),
        ACCESS,
    )
