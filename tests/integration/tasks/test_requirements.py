"""Requirements, deadlines and reward are set by the brand alone; limits of requirements."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import pytest
from liaison.tasks.v1 import tasks_pb2 as pb
from liaison.tasks.v1.tasks_pb2_grpc import TaskServiceStub

from servicekit.errors import Reason
from tests.integration.tasks.harness import DAY, Harness
from tests.support.serving import refused, request_id

if TYPE_CHECKING:  # the stubs' async face is there for type checkers only
    from liaison.tasks.v1.tasks_pb2_grpc import TaskServiceAsyncStub


def _requirements(count: int) -> list[pb.Requirement]:
    return [pb.Requirement(text=f"Show it {number} times") for number in range(count)]


@pytest.mark.rule("R19")
async def test_a_task_has_1_to_50_requirements(harness: Harness) -> None:
    for count in (0, 51):
        with refused(Reason.INVALID_FIELDS, "task.requirements"):
            await harness.draft(requirements=_requirements(count))
    one = await harness.draft(requirements=_requirements(1))
    assert len(one.requirements) == 1
    for count in (0, 51):
        edited = pb.Task(name=one.name, etag=one.etag)
        edited.MergeFrom(harness.content(requirements=_requirements(count)))
        with refused(Reason.INVALID_FIELDS, "task.requirements"):
            await harness.brand().UpdateTask(
                pb.UpdateTaskRequest(task=edited, request_id=request_id())
            )
    assert await harness.brand().GetTask(pb.GetTaskRequest(name=one.name)) == one
    most = await harness.task(requirements=_requirements(50))
    assert [asked.text for asked in most.requirements] == [
        asked.text for asked in _requirements(50)
    ]
    assert len({asked.id for asked in most.requirements}) == 50


@pytest.mark.rule("R19")
@pytest.mark.parametrize(
    "field", ["requirements", "application_deadline_time", "submission_deadline_time", "reward"]
)
async def test_requirements_deadlines_and_reward_are_required(harness: Harness, field: str) -> None:
    content = harness.content()
    content.ClearField(field)  # type: ignore[arg-type]  # a parameter of the test
    with refused(Reason.INVALID_FIELDS, f"task.{field}"):
        await harness.brand().CreateTask(
            pb.CreateTaskRequest(task=content, request_id=request_id())
        )


@pytest.mark.rule("R19")
@pytest.mark.parametrize("role", ["creator", "operator", "mediator", "service", "platform"])
async def test_only_the_brand_sets_requirements_deadlines_and_reward(
    harness: Harness, role: str
) -> None:
    draft = await harness.draft()
    stub: TaskServiceAsyncStub = TaskServiceStub(
        harness.served.as_creator("bea")
        if role == "creator"
        else getattr(harness.served, f"as_{role}")()
    )
    edited = pb.Task()
    edited.CopyFrom(draft)
    edited.requirements[0].text = "Sing it"
    edited.reward.money.units += 1
    edited.submission_deadline_time.FromDatetime(harness.now + 30 * DAY)
    calls: list[tuple[Callable[[Any], Awaitable[object]], Any]] = [
        (
            stub.CreateTask,
            pb.CreateTaskRequest(task=harness.content(), request_id=request_id()),
        ),
        (stub.UpdateTask, pb.UpdateTaskRequest(task=edited, request_id=request_id())),
        (stub.PublishTask, pb.PublishTaskRequest(name=draft.name, request_id=request_id())),
    ]
    for call, request in calls:
        with refused(Reason.ROLE_NOT_ALLOWED):
            await call(request)
    other = TaskServiceStub(harness.served.as_brand("other"))
    with refused(Reason.NOT_YOURS):
        await other.UpdateTask(pb.UpdateTaskRequest(task=edited, request_id=request_id()))
    assert await harness.brand().GetTask(pb.GetTaskRequest(name=draft.name)) == draft
