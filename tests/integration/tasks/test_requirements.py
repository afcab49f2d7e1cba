"""What a brand alone sets: requirements, deadlines and the reward; and how many there may be."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import pytest
from liaison.tasks.v1 import tasks_pb2 as pb
from liaison.tasks.v1.tasks_pb2_grpc import TaskServiceStub

from servicekit.errors import Reason
from tests.integration.tasks.house import DAY, House
from tests.support.serving import refused, request_id

if TYPE_CHECKING:  # the stubs' async face is there for type checkers only
    from liaison.tasks.v1.tasks_pb2_grpc import TaskServiceAsyncStub


def _requirements(count: int) -> list[pb.Requirement]:
    return [pb.Requirement(text=f"Show it {number} times") for number in range(count)]


@pytest.mark.rule("R19")
async def test_a_task_has_1_to_50_requirements(house: House) -> None:
    for count in (0, 51):
        with refused(Reason.INVALID_FIELDS, "task.requirements"):
            await house.draft(requirements=_requirements(count))
    one = await house.draft(requirements=_requirements(1))
    assert len(one.requirements) == 1
    for count in (0, 51):
        edited = pb.Task(name=one.name, etag=one.etag)
        edited.MergeFrom(house.content(requirements=_requirements(count)))
        with refused(Reason.INVALID_FIELDS, "task.requirements"):
            await house.brand().UpdateTask(
                pb.UpdateTaskRequest(task=edited, request_id=request_id())
            )
    assert await house.brand().GetTask(pb.GetTaskRequest(name=one.name)) == one
    most = await house.task(requirements=_requirements(50))
    assert [asked.text for asked in most.requirements] == [
        asked.text for asked in _requirements(50)
    ]
    assert len({asked.id for asked in most.requirements}) == 50


@pytest.mark.rule("R19")
@pytest.mark.parametrize(
    "field", ["requirements", "application_deadline_time", "submission_deadline_time", "reward"]
)
async def test_a_brand_cannot_leave_it_to_others(house: House, field: str) -> None:
    content = house.content()
    content.ClearField(field)  # type: ignore[arg-type]  # a parameter of the test
    with refused(Reason.INVALID_FIELDS, f"task.{field}"):
        await house.brand().CreateTask(pb.CreateTaskRequest(task=content, request_id=request_id()))


@pytest.mark.rule("R19")
@pytest.mark.parametrize("role", ["creator", "operator", "mediator", "service", "platform"])
async def test_nobody_else_sets_them(house: House, role: str) -> None:
    draft = await house.draft()
    stub: TaskServiceAsyncStub = TaskServiceStub(
        house.served.as_creator("bea")
        if role == "creator"
        else getattr(house.served, f"as_{role}")()
    )
    edited = pb.Task()
    edited.CopyFrom(draft)
    edited.requirements[0].text = "Sing it"
    edited.reward.money.units += 1
    edited.submission_deadline_time.FromDatetime(house.now + 30 * DAY)
    calls: list[tuple[Callable[[Any], Awaitable[object]], Any]] = [
        (
            stub.CreateTask,
            pb.CreateTaskRequest(task=house.content(), request_id=request_id()),
        ),
        (stub.UpdateTask, pb.UpdateTaskRequest(task=edited, request_id=request_id())),
        (stub.PublishTask, pb.PublishTaskRequest(name=draft.name, request_id=request_id())),
    ]
    for call, request in calls:
        with refused(Reason.ROLE_NOT_ALLOWED):
            await call(request)
    other = TaskServiceStub(house.served.as_brand("other"))
    with refused(Reason.NOT_YOURS):
        await other.UpdateTask(pb.UpdateTaskRequest(task=edited, request_id=request_id()))
    assert await house.brand().GetTask(pb.GetTaskRequest(name=draft.name)) == draft
