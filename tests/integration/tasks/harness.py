"""The tasks service on a real Postgres, and its callers.

Only the creators and media services and the workflows are substituted.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from liaison.tasks.v1 import assignments_pb2, records_pb2
from liaison.tasks.v1 import tasks_pb2 as pb
from liaison.tasks.v1.assignments_pb2_grpc import AssignmentServiceStub
from liaison.tasks.v1.records_pb2_grpc import RecordServiceStub
from liaison.tasks.v1.tasks_pb2_grpc import TaskServiceStub

from devstack.access import Access
from servicekit.errors import FailedPrecondition, LiaisonError, Reason
from servicekit.money import Money
from servicekit.postgres.changes import ChangeListener
from servicekit.postgres.database import Database
from servicekit.timestamps import to_timestamp
from services.tasks.applications.domain import Application
from services.tasks.applications.store import ApplicationStore
from services.tasks.domain import Candidate, State
from services.tasks.recording.domain import RecordedTask
from services.tasks.recording.store import CHANNEL, RecordStore
from services.tasks.servicer import Handlers, services
from services.tasks.store import TaskStore
from tests.support.serving import Served, request_id, serving
from tests.support.tasks_service import task_handlers
from workflows.assignment.commands import SubmitWork
from workflows.assignment.messages import assignment_message, transition_message
from workflows.assignment.model import Assignment, Funding, Requirement, Terms, Transition
from workflows.assignment.rules import submissions
from workflows.policy import STANDARD
from workflows.task.model import PublishedTask, Selection

if TYPE_CHECKING:  # the types of stubs over aio channels exist only in the type stubs
    from liaison.tasks.v1.assignments_pb2_grpc import AssignmentServiceAsyncStub
    from liaison.tasks.v1.records_pb2_grpc import RecordServiceAsyncStub
    from liaison.tasks.v1.tasks_pb2_grpc import TaskServiceAsyncStub

DAY = timedelta(days=1)
INSTANT = timedelta(microseconds=1)


@dataclass
class FakeCreators:
    """Every creator is admitted, except for the fields in `changed`."""

    changed: dict[str, dict[str, Any]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    async def candidate(self, creator_id: str) -> Candidate:
        self.asked.append(creator_id)
        candidate = Candidate(creator_id, True, "INTERNAL", "NEWCOMER", False, True)
        return replace(candidate, **self.changed.get(creator_id, {}))


@dataclass
class FakeMedia:
    accepted: set[tuple[str, str]] = field(default_factory=set)
    sealed: list[tuple[str, str, list[str]]] = field(default_factory=list)
    refusal: LiaisonError | None = None

    async def accepted_ids(self, owner_id: str, ids: list[str]) -> set[str]:
        return {id_ for id_ in ids if (owner_id, id_) in self.accepted}

    async def seal(self, owner_id: str, assignment_id: str, article_ids: list[str]) -> list[str]:
        if self.refusal is not None:
            raise self.refusal
        self.sealed.append((owner_id, assignment_id, article_ids))
        return [f"articles/{id_}/revisions/r1" for id_ in article_ids]


class FakeWorkflows:
    """Carries out every command, unless `refusal` is set. Refuses work whose articles are not
    sealed, except in a repeated request."""

    def __init__(self, records: RecordStore) -> None:
        self._records = records
        self.started: list[PublishedTask] = []
        self.commands: list[tuple[str, str, object, str]] = []
        self.executed: set[str] = set()
        self.refusal: LiaisonError | None = None
        self.selected: dict[str, list[str]] = {}

    async def start(self, task: PublishedTask) -> None:
        self._may_refuse()
        self.started.append(task)

    async def select(
        self, task_id: str, actor: str, selections: list[Selection], request_id: str
    ) -> None:
        self.commands.append((task_id, "select", selections, request_id))
        self._may_refuse()
        self.selected.setdefault(task_id, []).extend(one.application_id for one in selections)
        await self._record(task_id, State.OPEN)

    async def cancel(self, task_id: str, actor: str, comment: str, request_id: str) -> None:
        self.commands.append((task_id, "cancel", (actor, comment), request_id))
        self._may_refuse()
        await self._record(task_id, State.CANCELLED)

    async def end_selection(self, task_id: str, actor: str, comment: str, request_id: str) -> None:
        self.commands.append((task_id, "end_selection", (actor, comment), request_id))
        self._may_refuse()
        await self._record(task_id, State.IN_PROGRESS)

    async def send(self, assignment_id: str, command: object, request_id: str) -> None:
        is_repeated = request_id in self.executed
        self.commands.append((assignment_id, type(command).__name__, command, request_id))
        self._may_refuse()
        if isinstance(command, SubmitWork) and not is_repeated:
            self._require_sealed(command)
        self.executed.add(request_id)

    def _require_sealed(self, work: SubmitWork) -> None:
        if len(work.article_revisions) != len(work.article_ids):
            raise FailedPrecondition(Reason.MEDIA_NOT_ACCEPTED, "Not sealed")

    async def _record(self, task_id: str, state: State) -> None:
        sequence = 1 + len(self.commands)  # publication is the first transition
        selected = self.selected.get(task_id, [])
        await self._records.record_task(RecordedTask(task_id, sequence, state, selected, []))

    def _may_refuse(self) -> None:
        if self.refusal is not None:
            raise self.refusal


class Harness:
    """`acme` and `other` are brands; `bea` and `cem` are creators."""

    def __init__(self, database: Database, changes: ChangeListener) -> None:
        self.database = database
        self.now = datetime.now(UTC).replace(microsecond=0)
        self.creators, self.media = FakeCreators(), FakeMedia()
        self.task_store, self.record_store = TaskStore(database), RecordStore(database)
        self.workflows = FakeWorkflows(self.record_store)
        self.handlers: Handlers = task_handlers(
            database,
            lambda: self.now,
            creators=self.creators,
            media=self.media,
            workflows=self.workflows,
            changes=changes,
        )
        self.served: Served

    def brand(self, brand: str = "acme") -> "TaskServiceAsyncStub":
        return TaskServiceStub(self.served.as_brand(brand))

    def creator(self, creator: str = "bea") -> "TaskServiceAsyncStub":
        return TaskServiceStub(self.served.as_creator(creator))

    def operator(self) -> "TaskServiceAsyncStub":
        return TaskServiceStub(self.served.as_operator())

    def worker(self) -> "RecordServiceAsyncStub":
        return RecordServiceStub(self.served.as_service())

    def work_of(self, creator: str = "bea") -> "AssignmentServiceAsyncStub":
        return AssignmentServiceStub(self.served.as_creator(creator))

    def review_of(self, brand: str = "acme") -> "AssignmentServiceAsyncStub":
        return AssignmentServiceStub(self.served.as_brand(brand))

    def oversight(self, role: str = "operator") -> "AssignmentServiceAsyncStub":
        is_operator = role == "operator"
        served = self.served
        return AssignmentServiceStub(served.as_operator() if is_operator else served.as_mediator())

    def content(self, **changes: Any) -> pb.Task:
        content: dict[str, Any] = {
            "title": "A review",
            "content_types": [pb.CONTENT_TYPE_VIDEO],
            "requirements": [pb.Requirement(text="Show it"), pb.Requirement(text="Say it")],
            "reward": pb.Reward(money=Money("USD", 10_000).to_message()),
            "creator_slots": 2,
            "application_deadline_time": to_timestamp(self.now + 2 * DAY),
            "submission_deadline_time": to_timestamp(self.now + 20 * DAY),
        }
        return pb.Task(**content | changes)

    async def draft(self, brand: str = "acme", **changes: Any) -> pb.Task:
        request = pb.CreateTaskRequest(task=self.content(**changes), request_id=request_id())
        return await self.brand(brand).CreateTask(request)

    async def publish(self, task: pb.Task, brand: str = "acme") -> pb.Task:
        request = pb.PublishTaskRequest(name=task.name, request_id=request_id())
        return await self.brand(brand).PublishTask(request)

    async def task(self, brand: str = "acme", **changes: Any) -> pb.Task:
        return await self.publish(await self.draft(brand, **changes), brand)

    async def apply(self, task: pb.Task, creator: str = "bea") -> pb.Application:
        request = pb.CreateApplicationRequest(parent=task.name, request_id=request_id())
        return await self.creator(creator).CreateApplication(request)

    async def fill(self, task: pb.Task, count: int) -> None:
        """Adds applications of `count` creators."""
        for number in range(count):
            application = Application(
                id=f"{id_of(task)}-{number}",
                task_id=id_of(task),
                creator_id=f"creator-{number}",
                message="",
                create_time=self.now,
                update_time=self.now,
            )
            await ApplicationStore(self.database).add(application)

    async def withdraw(self, application: pb.Application, creator: str = "bea") -> pb.Application:
        request = pb.WithdrawApplicationRequest(name=application.name, request_id=request_id())
        return await self.creator(creator).WithdrawApplication(request)

    async def select(
        self, task: pb.Task, applications: Sequence[pb.Application], brand: str = "acme"
    ) -> list[pb.Application]:
        request = pb.SelectApplicationsRequest(
            parent=task.name,
            applications=[one.name for one in applications],
            request_id=request_id(),
        )
        return list((await self.brand(brand).SelectApplications(request)).applications)

    async def state_of(self, application: pb.Application) -> pb.Application.State.ValueType:
        found = await self.operator().GetApplication(
            pb.GetApplicationRequest(name=application.name)
        )
        return found.state

    def begun(
        self, task: pb.Task, assignment_id: str, creator: str = "bea"
    ) -> tuple[Assignment, Transition]:
        """An assignment as its workflow starts it, and its first transition."""
        terms = Terms(
            task_id=id_of(task),
            brand_id=task.brand.removeprefix("brands/"),
            requirements=[Requirement("req-1", "Show it")],
            currency="USD",
            reward_minor=10_000,
            funding=Funding.ESCROW,
            submission_deadline_time=self.now + 20 * DAY,
            policy=STANDARD,
        )
        return submissions.start(assignment_id, creator, terms, self.now)

    async def record(self, assignment: Assignment, *transitions: Transition) -> None:
        await self.worker().RecordAssignment(
            records_pb2.RecordAssignmentRequest(
                assignment=assignment_message(assignment),
                transitions=map(transition_message, transitions),
            )
        )

    async def assignment(
        self, task: pb.Task, assignment_id: str, creator: str = "bea"
    ) -> assignments_pb2.Assignment:
        begun, first = self.begun(task, assignment_id, creator)
        await self.record(begun, first)
        return assignment_message(begun)


def id_of(message: Any) -> str:
    """The last segment of its name."""
    return str(message.name.rpartition("/")[2])


@asynccontextmanager
async def harness_of(access: Access, database: Database, url: str) -> AsyncIterator[Harness]:
    async with ChangeListener(url, CHANNEL) as changes:
        harness = Harness(database, changes)
        async with serving(access, services(harness.handlers), database) as harness.served:
            yield harness
