"""Client of the tasks service, over gRPC, in the role of a service."""

from typing import TYPE_CHECKING

from liaison.tasks.v1 import assignments_pb2

from servicekit.errors import NotFound
from servicekit.resource_names import parse_id
from services.disputes.domain import Parties

if TYPE_CHECKING:  # the types of stubs over aio channels exist only in the type stubs
    from liaison.tasks.v1.assignments_pb2_grpc import AssignmentServiceAsyncStub


class AssignmentClient:
    def __init__(self, stub: "AssignmentServiceAsyncStub") -> None:
        self._stub = stub

    async def parties(self, assignment_id: str) -> Parties | None:
        try:
            assignment = await self._stub.GetAssignment(
                assignments_pb2.GetAssignmentRequest(name=f"assignments/{assignment_id}")
            )
        except NotFound:
            return None
        return Parties(
            brand_id=parse_id("brands/{brand}", assignment.brand),
            creator_id=parse_id("creators/{creator}", assignment.creator),
        )
