"""The tasks service over gRPC, in the role of a service."""

from typing import TYPE_CHECKING

from liaison.tasks.v1 import assignments_pb2, tasks_pb2

from servicekit.errors import NotFound
from servicekit.resource_names import parse_id
from services.media.articles.domain import AssignmentContext, StoreCoupons

if TYPE_CHECKING:  # the asynchronous stubs exist in type stubs only
    from liaison.tasks.v1.assignments_pb2_grpc import AssignmentServiceAsyncStub
    from liaison.tasks.v1.tasks_pb2_grpc import TaskServiceAsyncStub


class AssignmentClient:
    def __init__(
        self, assignments: "AssignmentServiceAsyncStub", tasks: "TaskServiceAsyncStub"
    ) -> None:
        self._assignments = assignments
        self._tasks = tasks

    async def assignment_context(
        self, assignment_id: str, creator_id: str
    ) -> AssignmentContext | None:
        """None when there is no such assignment, or it is somebody else's."""
        try:
            assignment = await self._assignments.GetAssignment(
                assignments_pb2.GetAssignmentRequest(name=f"assignments/{assignment_id}")
            )
        except NotFound:
            return None
        if assignment.creator != f"creators/{creator_id}":
            return None
        task = await self._tasks.GetTask(tasks_pb2.GetTaskRequest(name=assignment.task))
        return AssignmentContext(
            assignment_id=assignment_id,
            brand_id=parse_id("brands/{brand}", assignment.brand),
            store_coupons=tuple(
                StoreCoupons(store.store_id, tuple(store.coupon_ids))
                for store in task.store_coupons
            ),
        )
