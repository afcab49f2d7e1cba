"""The disputes service with the real tasks and notifications services, Temporal and a worker."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, cast
from uuid import uuid4

from liaison.disputes.v1 import disputes_pb2 as pb
from liaison.disputes.v1.disputes_pb2_grpc import DisputeServiceStub
from liaison.notifications.v1 import notifications_pb2
from liaison.notifications.v1.notifications_pb2_grpc import NotificationServiceStub
from liaison.tasks.v1 import assignments_pb2, tasks_pb2
from liaison.tasks.v1.assignments_pb2_grpc import AssignmentServiceStub
from liaison.tasks.v1.records_pb2_grpc import RecordServiceStub
from liaison.tasks.v1.tasks_pb2_grpc import TaskServiceStub
from temporalio.client import Client
from temporalio.service import RPCError
from temporalio.worker import Worker

from devstack.access import Access
from servicekit.clock import utc_now
from servicekit.money import Money
from servicekit.postgres.database import Database
from servicekit.rpc.server import Service
from servicekit.settings import TemporalSettings
from servicekit.timestamps import to_timestamp
from services.disputes.clients import AssignmentClient
from services.disputes.handlers import DisputeHandlers
from services.disputes.servicer import service as disputes_service
from services.disputes.store import DisputeStore
from services.disputes.workflows import DisputeWorkflowClient
from services.notifications.handlers import NotificationHandlers
from services.notifications.servicer import service as notifications_service
from services.notifications.store import NotificationStore
from services.tasks.assignments.store import AssignmentStore
from services.tasks.servicer import services as tasks_services
from tests.support.databases import Databases
from tests.support.serving import Served, request_id, serving
from tests.support.tasks_service import task_handlers
from tests.support.workers import workers_for
from workflows import ids
from workflows.assignment.activities import AssignmentActivities
from workflows.assignment.inputs import StartAssignment
from workflows.assignment.model import Funding, Requirement, Terms
from workflows.dispute.activities import DisputeActivities
from workflows.policy import STANDARD
from workflows.task_queues import Domain, queue_of
from workflows.temporal.client import Workflows
from workflows.worker import running

_PATIENCE_SECONDS = 20.0


@dataclass
class Harness:
    """`bea` works for `acme`; `mia` and `max` mediate."""

    disputes: Served
    notifications: Served
    tasks: Served
    assignments: AssignmentStore
    database: Database
    temporal: Client
    queue: str
    started: list[str] = field(default_factory=list)

    def creator(self, name: str = "bea") -> Any:
        return DisputeServiceStub(self.disputes.as_creator(name))

    def brand(self, name: str = "acme") -> Any:
        return DisputeServiceStub(self.disputes.as_brand(name))

    def mediator(self, name: str = "mia") -> Any:
        return DisputeServiceStub(self.disputes.as_mediator(name))

    @property
    def worker(self) -> Any:
        return DisputeServiceStub(self.disputes.as_service())

    async def assignment(self) -> str:
        """The id of an assignment in progress."""
        id_, now = uuid4().hex, utc_now()
        terms = Terms(
            task_id=await self._task(),
            brand_id="acme",
            requirements=[Requirement("req-1", "Show it")],
            currency="USD",
            reward_minor=10_000,
            funding=Funding.ON_APPROVAL,
            submission_deadline_time=now + timedelta(days=10),
            policy=STANDARD,
        )
        await self.temporal.start_workflow(
            "Assignment",
            StartAssignment(id_, "bea", terms, now),
            id=ids.assignment(id_),
            task_queue=self.queue,
        )
        self.started.append(ids.assignment(id_))
        await eventually(lambda: self._is_recorded(id_))
        return id_

    async def recorded(self, assignment_id: str) -> assignments_pb2.Assignment:
        stub = AssignmentServiceStub(self.tasks.as_service())
        request = assignments_pb2.GetAssignmentRequest(name=f"assignments/{assignment_id}")
        answer: assignments_pb2.Assignment = await stub.GetAssignment(request)
        return answer

    async def open(self, assignment_id: str) -> pb.Dispute:
        answer: pb.Dispute = await self.creator().OpenDispute(opening(assignment_id))
        return answer

    async def claimed(self) -> pb.Dispute:
        dispute = await self.open(await self.assignment())
        answer: pb.Dispute = await self.mediator().ClaimDispute(
            pb.ClaimDisputeRequest(name=dispute.name, request_id=request_id())
        )
        return answer

    async def notified(self, channel: Any) -> list[str]:
        """The events that a recipient was notified of, oldest first."""
        stub = NotificationServiceStub(channel)
        page = await stub.ListNotifications(notifications_pb2.ListNotificationsRequest())
        return [notification.event for notification in reversed(page.notifications)]

    async def end(self) -> None:
        """Terminates running workflows: a worker does not stop while it retries an activity."""
        for workflow_id in self.started:
            with contextlib.suppress(RPCError):  # it has ended
                await self.temporal.get_workflow_handle(workflow_id).terminate()

    async def _task(self) -> str:
        """An assignment belongs to a task; that this one is a draft makes no difference here."""
        now = utc_now()
        task = tasks_pb2.Task(
            title="A review",
            content_types=[tasks_pb2.CONTENT_TYPE_ARTICLE],
            requirements=[tasks_pb2.Requirement(text="Show it")],
            reward=tasks_pb2.Reward(money=Money("USD", 10_000).to_message()),
            creator_slots=1,
            application_deadline_time=to_timestamp(now + timedelta(days=1)),
            submission_deadline_time=to_timestamp(now + timedelta(days=10)),
        )
        request = tasks_pb2.CreateTaskRequest(task=task, request_id=request_id())
        created = await TaskServiceStub(self.tasks.as_brand("acme")).CreateTask(request)
        return created.name.removeprefix("tasks/")

    async def _is_recorded(self, assignment_id: str) -> bool:
        return await self.assignments.assignment(assignment_id) is not None


def opening(assignment_id: str, **changes: Any) -> pb.OpenDisputeRequest:
    values: dict[str, Any] = {
        "assignment": f"assignments/{assignment_id}",
        "ground": pb.GROUND_MATERIALS_NOT_PROVIDED,
        "statement": "I have nothing to work with",
    }
    return pb.OpenDisputeRequest(dispute=pb.Dispute(**values | changes), request_id=request_id())


def deciding(
    dispute: pb.Dispute, outcome: pb.Decision.Outcome.ValueType, **values: Any
) -> pb.DecideDisputeRequest:
    return pb.DecideDisputeRequest(
        name=dispute.name,
        decision=pb.Decision(outcome=outcome, reasoning="Both were heard", **values),
        request_id=request_id(),
    )


async def eventually(holds: Callable[[], Awaitable[object]]) -> None:
    end = time.monotonic() + _PATIENCE_SECONDS
    while not await holds():
        assert time.monotonic() < end, "it did not come about in time"
        await asyncio.sleep(0.02)


@asynccontextmanager
async def harness_of(
    access: Access, databases: Databases, temporal_address: str
) -> AsyncIterator[Harness]:
    async with AsyncExitStack() as stack:

        async def database(service: str) -> Database:
            url = await databases.fresh(service)
            return await stack.enter_async_context(Database(url, pool_size=4))

        async def served(services: list[Service], database: Database) -> Served:
            return await stack.enter_async_context(serving(access, services, database))

        tasks_database, disputes_database = await database("tasks"), await database("disputes")
        notifications_database = await database("notifications")
        tasks = await served(tasks_services(task_handlers(tasks_database, utc_now)), tasks_database)
        notifications = await served(
            [
                notifications_service(
                    NotificationHandlers(NotificationStore(notifications_database), utc_now)
                )
            ],
            notifications_database,
        )
        client = await Client.connect(temporal_address)
        settings = TemporalSettings.model_validate({"TEMPORAL_ADDRESS": temporal_address})
        disputes = await served(
            [
                disputes_service(
                    DisputeHandlers(
                        DisputeStore(disputes_database),
                        AssignmentClient(AssignmentServiceStub(tasks.as_service())),
                        DisputeWorkflowClient(Workflows(settings)),
                        utc_now,
                    )
                )
            ],
            disputes_database,
        )
        prefix = f"disputes-{uuid4()}"
        workers = _workers(client, prefix, tasks, disputes, notifications)
        await stack.enter_async_context(running(*workers, patience_seconds=5))
        queue = queue_of(Domain.TASKS, prefix)
        harness = Harness(
            disputes,
            notifications,
            tasks,
            AssignmentStore(tasks_database),
            disputes_database,
            client,
            queue,
        )
        try:
            yield harness
        finally:
            await harness.end()


def _workers(
    client: Client, prefix: str, tasks: Served, disputes: Served, notifications: Served
) -> list[Worker]:
    """Run assignments that deliver nothing and are paid nothing, and their disputes."""
    nobody = cast("Any", None)
    notifier = NotificationServiceStub(notifications.as_service())
    assignment = AssignmentActivities(
        RecordServiceStub(tasks.as_service()), nobody, nobody, nobody, nobody, notifier
    )
    dispute = DisputeActivities(DisputeServiceStub(disputes.as_service()), notifier)
    return workers_for(
        client,
        prefix,
        [assignment.record_assignment, dispute.record_dispute, dispute.send_dispute_notices],
        [Domain.TASKS, Domain.DISPUTES],
    )
