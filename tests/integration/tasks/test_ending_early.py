"""EndSelection and CancelTask, by brands and operators."""

from collections.abc import Awaitable, Callable

import pytest
from liaison.tasks.v1 import tasks_pb2 as pb

from servicekit.errors import FailedPrecondition, Reason
from tests.integration.tasks.harness import Harness, id_of
from tests.support.serving import refused, request_id
from workflows.errors import NotRunning


def _ending(task: pb.Task, comment: str = "") -> pb.EndSelectionRequest:
    return pb.EndSelectionRequest(name=task.name, comment=comment, request_id=request_id())


async def test_a_brand_ends_a_selection_without_a_comment(harness: Harness) -> None:
    task = await harness.task()
    await harness.select(task, [await harness.apply(task)])
    request = _ending(task)
    ended = await harness.brand().EndSelection(request)
    assert ended.state == pb.Task.STATE_IN_PROGRESS
    assert await harness.brand().EndSelection(request) == ended
    name, *command = harness.workflows.commands[-1]
    assert (name, command) == (
        id_of(task),
        ["end_selection", ("brands/acme", ""), request.request_id],
    )
    assert len(harness.workflows.commands) == 2  # one was the selection


@pytest.mark.parametrize("comment", ["", "  ", "\u200b"])
async def test_an_operator_must_comment_when_ending_a_selection(
    harness: Harness, comment: str
) -> None:
    task = await harness.task()
    with refused(Reason.INVALID_FIELDS, "comment"):
        await harness.operator().EndSelection(_ending(task, comment))
    await harness.operator().EndSelection(_ending(task, "They asked by mail"))
    assert harness.workflows.commands[-1][2] == ("staff/olga", "They asked by mail")


async def test_only_the_brand_and_operators_end_a_selection_and_never_of_a_draft(
    harness: Harness,
) -> None:
    task, draft = await harness.task(), await harness.draft()
    with refused(Reason.NOT_YOURS):
        await harness.brand("other").EndSelection(_ending(task))
    with refused(Reason.ROLE_NOT_ALLOWED):
        await harness.creator().EndSelection(_ending(task))
    with refused(Reason.ILLEGAL_STATE):
        await harness.brand().EndSelection(_ending(draft))
    with refused(Reason.INVALID_FIELDS, "comment"):
        await harness.brand().EndSelection(_ending(task, "x" * 1001))
    assert harness.workflows.commands == []


async def test_the_workflows_refusal_to_end_a_selection_is_returned(harness: Harness) -> None:
    task = await harness.task()
    harness.workflows.refusal = FailedPrecondition(Reason.NOBODY_SELECTED, "Cancel it instead")
    with refused(Reason.NOBODY_SELECTED):
        await harness.brand().EndSelection(_ending(task))


async def test_an_operators_cancellation_names_the_operator(harness: Harness) -> None:
    task = await harness.task()
    request = pb.CancelTaskRequest(
        name=task.name, comment="Forbidden goods", request_id=request_id()
    )
    assert (await harness.operator().CancelTask(request)).state == pb.Task.STATE_CANCELLED
    assert harness.workflows.commands[-1][2] == ("staff/olga", "Forbidden goods")


async def test_a_command_to_an_ended_task_reports_its_recorded_state(harness: Harness) -> None:
    task = await harness.task()
    application = await harness.apply(task)
    harness.workflows.refusal = NotRunning()
    commands: list[tuple[str, Callable[[], Awaitable[object]]]] = [
        ("SelectApplications", lambda: harness.select(task, [application])),
        ("EndSelection", lambda: harness.brand().EndSelection(_ending(task))),
        (
            "CancelTask",
            lambda: harness.brand().CancelTask(
                pb.CancelTaskRequest(name=task.name, comment="No", request_id=request_id())
            ),
        ),
    ]
    for command, send in commands:
        with refused(Reason.ILLEGAL_STATE) as caught:
            await send()
        assert caught.value.metadata == {"state": "OPEN", "command": command}
        assert caught.value.message.startswith(f"{task.name} is OPEN")
    await harness.withdraw(application)
