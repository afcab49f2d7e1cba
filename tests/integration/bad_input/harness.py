"""The tasks service on a real Postgres, with substitutes for other services and workflows."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from liaison.tasks.v1 import assignments_pb2, records_pb2
from liaison.tasks.v1 import tasks_pb2 as pb
from liaison.tasks.v1.assignments_pb2_grpc import AssignmentServiceStub
from liaison.tasks.v1.records_pb2_grpc import RecordServiceStub
from liaison.tasks.v1.tasks_pb2_grpc import TaskServiceStub

from devstack.access import Access
from servicekit.errors import LiaisonError, Reason
from servicekit.money import Money
from servicekit.postgres.changes import ChangeListener
from servicekit.postgres.database import Database
from servicekit.timestamps import to_timestamp
from services.tasks.domain import Candidate
from services.tasks.recording.store import CHANNEL
from services.tasks.servicer import services
from tests.support.serving import Served, refused, request_id, serving
from tests.support.tasks_service import task_handlers
from workflows.assignment.model import Event
from workflows.task.model import PublishedTask, Selection

TABLES = (
    "task",
    "task_transition",
    "application",
    "selection",
    "assignment",
    "assignment_transition",
    "request",
)


class FakeCreators:
    """Every creator is admitted, eligible and payable, except for the fields in `changes`."""

    def __init__(self) -> None:
        self.changes: dict[str, Any] = {}

    async def candidate(self, creator_id: str) -> Candidate:
        usual = Candidate(creator_id, True, "INTERNAL", "STAR", True, True)
        return replace(usual, **self.changes)


class FakeMedia:
    def __init__(self) -> None:
        self.accepted: set[str] = set()

    async def accepted_ids(self, owner_id: str, ids: list[str]) -> set[str]:
        return self.accepted & set(ids)

    async def seal(self, owner_id: str, assignment_id: str, article_ids: list[str]) -> list[str]:
        return [f"articles/{id_}/revisions/r1" for id_ in article_ids]


class FakeWorkflows:
    """Keeps the commands, and refuses them if `refusal` is set."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self.commands: list[tuple[str, str]] = []
        self.refusal: LiaisonError | None = None

    async def start(self, task: PublishedTask) -> None:
        self.started.append(task.id)

    async def select(
        self, task_id: str, actor: str, selections: list[Selection], request_id: str
    ) -> None:
        self._take("SelectApplications", request_id)

    async def cancel(self, task_id: str, actor: str, comment: str, request_id: str) -> None:
        self._take("CancelTask", request_id)

    async def end_selection(self, task_id: str, actor: str, comment: str, request_id: str) -> None:
        self._take("EndSelection", request_id)

    async def send(self, assignment_id: str, command: object, request_id: str) -> None:
        self._take(type(command).__name__, request_id)

    def _take(self, name: str, request_id: str) -> None:
        self.commands.append((name, request_id))
        if self.refusal is not None:
            raise self.refusal


@dataclass
class Harness:
    """`acme` is the brand, `anna` and `bob` are creators; `evil` and `eve` are others."""

    served: Served
    database: Database
    creators: FakeCreators = field(default_factory=FakeCreators)
    media: FakeMedia = field(default_factory=FakeMedia)
    workflows: FakeWorkflows = field(default_factory=FakeWorkflows)
    now: datetime = datetime(2026, 3, 1, 12, tzinfo=UTC)

    def brand(self, name: str = "acme") -> Any:
        return TaskServiceStub(self.served.as_brand(name))

    def creator(self, name: str = "anna") -> Any:
        return TaskServiceStub(self.served.as_creator(name))

    @property
    def operator(self) -> Any:
        return TaskServiceStub(self.served.as_operator())

    def works(self, creator: str = "anna") -> Any:
        return AssignmentServiceStub(self.served.as_creator(creator))

    def reviews(self, brand: str = "acme") -> Any:
        return AssignmentServiceStub(self.served.as_brand(brand))

    @property
    def worker(self) -> Any:
        return RecordServiceStub(self.served.as_service())

    def task(self, **changes: Any) -> pb.Task:
        values: dict[str, Any] = {
            "title": "A review",
            "content_types": [pb.CONTENT_TYPE_ARTICLE],
            "requirements": [pb.Requirement(text="Show it"), pb.Requirement(text="Name it")],
            "reward": pb.Reward(money=Money("USD", 10_000).to_message()),
            "creator_slots": 2,
            "application_deadline_time": to_timestamp(self.now + timedelta(days=1)),
            "submission_deadline_time": to_timestamp(self.now + timedelta(days=10)),
        }
        return pb.Task(**values | changes)

    def creation(self, **changes: Any) -> pb.CreateTaskRequest:
        return pb.CreateTaskRequest(task=self.task(**changes), request_id=request_id())

    async def draft(self, brand: str = "acme", **changes: Any) -> pb.Task:
        draft: pb.Task = await self.brand(brand).CreateTask(self.creation(**changes))
        return draft

    async def published(self, brand: str = "acme", **changes: Any) -> pb.Task:
        draft = await self.draft(brand, **changes)
        task: pb.Task = await self.brand(brand).PublishTask(named(pb.PublishTaskRequest, draft))
        return task

    async def application(self, task: pb.Task, creator: str = "anna") -> pb.Application:
        made: pb.Application = await self.creator(creator).CreateApplication(applying(task))
        return made

    async def record(self, task: pb.Task, sequence: int, state: int, *selected: str) -> bool:
        """Returns whether applications are left that were not selected."""
        answer: records_pb2.RecordTaskResponse = await self.worker.RecordTask(
            records_pb2.RecordTaskRequest(
                name=task.name,
                sequence=sequence,
                state=pb.Task.State.ValueType(state),
                selected_application_ids=selected,
            )
        )
        return answer.has_waiting_applications

    async def selected(self, application: pb.Application, sequence: int = 2) -> None:
        task, _, id_ = application.name.partition("/applications/")
        await self.record(pb.Task(name=task), sequence, pb.Task.STATE_SELECTING, id_)

    async def assignment(self, creator: str = "anna", brand: str = "acme") -> str:
        """The name of an assignment in progress, for a task of its own."""
        task = await self.published(brand)
        application = await self.application(task, creator)
        await self.selected(application)
        id_ = application.name.rpartition("/")[2]
        request = recording(self, id_, task.name, 1, creator=creator, brand=brand)
        await self.worker.RecordAssignment(request)
        return f"assignments/{id_}"

    async def rows(self) -> dict[str, list[Any]]:
        """All rows of the service."""
        found: dict[str, list[Any]] = {}
        for table in TABLES:
            rows = await self.database.fetch_all(
                f"SELECT to_jsonb(one) AS row FROM {table} AS one ORDER BY one::text"  # noqa: S608 - constant names
            )
            found[table] = [row["row"] for row in rows]
        return found

    async def count(self, table: str) -> int:
        return len((await self.rows())[table])

    @asynccontextmanager
    async def refuses(
        self, reason: Reason, *fields: str
    ) -> AsyncIterator[pytest.ExceptionInfo[LiaisonError]]:
        """Checks that the call inside is refused and changes nothing, and the server still runs."""
        before = await self.rows()
        with refused(reason, *fields) as caught:
            yield caught
        assert await self.rows() == before
        await self.operator.ListTasks(pb.ListTasksRequest())


def named(kind: Any, resource: Any, **values: Any) -> Any:
    return kind(name=resource.name, request_id=request_id(), **values)


def applying(task: pb.Task, **values: Any) -> pb.CreateApplicationRequest:
    return pb.CreateApplicationRequest(parent=task.name, request_id=request_id(), **values)


def selecting(task: pb.Task, *applications: pb.Application) -> pb.SelectApplicationsRequest:
    return pb.SelectApplicationsRequest(
        parent=task.name,
        applications=[application.name for application in applications],
        request_id=request_id(),
    )


def submitting(name: str, **values: Any) -> assignments_pb2.SubmitWorkRequest:
    values = values or {"links": ["https://example.com/work"]}
    return assignments_pb2.SubmitWorkRequest(
        name=name, submission=assignments_pb2.Submission(**values), request_id=request_id()
    )


def recording(
    harness: Harness,
    assignment_id: str,
    task: str,
    sequence: int,
    *transitions: int,
    creator: str = "anna",
    brand: str = "acme",
) -> records_pb2.RecordAssignmentRequest:
    state = assignments_pb2.Assignment.STATE_IN_PROGRESS
    return records_pb2.RecordAssignmentRequest(
        assignment=assignments_pb2.Assignment(
            name=f"assignments/{assignment_id}",
            state=state,
            task=task,
            brand=f"brands/{brand}",
            creator=f"creators/{creator}",
            sequence=sequence,
            create_time=to_timestamp(harness.now),
        ),
        transitions=[
            assignments_pb2.Transition(
                sequence=number,
                event=Event.CREATOR_SELECTED if number == 1 else Event.REVIEW_REMINDED,
                to_state=state,
                actor="system",
                time=to_timestamp(harness.now),
            )
            for number in transitions or (sequence,)
        ],
    )


@asynccontextmanager
async def harness_of(access: Access, database: Database, url: str) -> AsyncIterator[Harness]:
    creators, media, workflows = FakeCreators(), FakeMedia(), FakeWorkflows()
    async with ChangeListener(url, CHANNEL) as changes:
        handlers = task_handlers(
            database,
            lambda: harness.now,
            creators=creators,
            media=media,
            workflows=workflows,
            changes=changes,
        )
        async with serving(access, services(handlers), database) as served:
            harness = Harness(served, database, creators, media, workflows)
            yield harness
