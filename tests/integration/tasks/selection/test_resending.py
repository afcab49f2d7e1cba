"""Selections that a crash left behind are sent again under their own request."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from liaison.tasks.v1 import tasks_pb2 as pb

from servicekit.errors import FailedPrecondition, Reason, Unavailable
from tests.integration.tasks.harness import Harness, id_of
from tests.support.serving import refused, request_id
from workflows.task.model import Selection

APPLIED, SELECTED = pb.Application.STATE_APPLIED, pb.Application.STATE_SELECTED


def _request(task: pb.Task, *applications: pb.Application) -> pb.SelectApplicationsRequest:
    return pb.SelectApplicationsRequest(
        parent=task.name,
        applications=[one.name for one in applications],
        request_id=request_id(),
    )


@asynccontextmanager
async def _deciding(
    harness: Harness, request: pb.SelectApplicationsRequest
) -> AsyncIterator["asyncio.Task[pb.SelectApplicationsResponse]"]:
    """Within the context the workflow is deciding on a selection."""
    begun, may_end = asyncio.Event(), asyncio.Event()
    select = harness.workflows.select

    async def slow(task_id: str, actor: str, selections: list[Selection], request_id: str) -> None:
        begun.set()
        await may_end.wait()
        await select(task_id, actor, selections, request_id)

    harness.workflows.select = slow  # type: ignore[method-assign]  # for this long
    answer: asyncio.Task[pb.SelectApplicationsResponse] = asyncio.ensure_future(
        harness.brand().SelectApplications(request)
    )
    await asyncio.wait_for(begun.wait(), 10)
    harness.workflows.select = select  # type: ignore[method-assign]  # as it was
    yield answer
    may_end.set()
    await asyncio.wait([answer])


_NO_ANSWER = Unavailable(Reason.OUTCOME_UNKNOWN, "No answer")


@asynccontextmanager
async def _left_behind(
    harness: Harness, *applications: pb.Application, task: pb.Task
) -> AsyncIterator[str]:
    """Leaves a selection pending, as a crash would; yields its request id."""
    request = _request(task, *applications)
    harness.workflows.refusal = _NO_ANSWER
    with refused(Reason.OUTCOME_UNKNOWN):
        await harness.brand().SelectApplications(request)
    harness.workflows.refusal = None
    yield request.request_id
    harness.now += timedelta(minutes=2)
    assert await harness.handlers.selection.resend_stale_selections() == 0


@pytest.mark.rule("R39", "R48")
async def test_a_selection_left_by_a_crash_is_resent_under_its_request_id(
    harness: Harness,
) -> None:
    task = await harness.task()
    first, second = await harness.apply(task), await harness.apply(task, "cem")
    async with _left_behind(harness, second, first, task=task) as request:
        harness.now += timedelta(seconds=60)
        assert (
            await harness.handlers.selection.resend_stale_selections() == 0
        )  # somebody may be at it
        harness.now += timedelta(seconds=1)
        assert await harness.handlers.selection.resend_stale_selections() == 1
    assert [await harness.state_of(one) for one in (first, second)] == [SELECTED] * 2
    both = [Selection(id_of(second), "cem"), Selection(id_of(first), "bea")]
    assert len(harness.workflows.commands) > 1
    for command in harness.workflows.commands:
        assert command == (id_of(task), "select", both, request)


@pytest.mark.rule("R39", "R48")
@pytest.mark.parametrize("reason", [Reason.SLOTS_EXHAUSTED, Reason.ILLEGAL_STATE])
async def test_an_application_refused_on_resending_can_be_withdrawn(
    harness: Harness, reason: Reason
) -> None:
    """ILLEGAL_STATE is the answer of a workflow that has ended."""
    task = await harness.task()
    application = await harness.apply(task)
    async with _left_behind(harness, application, task=task):
        with refused(Reason.ILLEGAL_STATE):
            await harness.withdraw(application)
        harness.now += timedelta(minutes=2)
        harness.workflows.refusal = FailedPrecondition(reason, "Not now")
        assert await harness.handlers.selection.resend_stale_selections() == 1
        harness.workflows.refusal = None
        await harness.withdraw(application)
    assert await harness.state_of(application) == pb.Application.STATE_WITHDRAWN


async def test_a_selection_with_an_unknown_outcome_is_resent_later(harness: Harness) -> None:
    task = await harness.task()
    application = await harness.apply(task)
    async with _left_behind(harness, application, task=task) as request:
        harness.now += timedelta(minutes=2)
        harness.workflows.refusal = _NO_ANSWER
        assert await harness.handlers.selection.resend_stale_selections() == 1
        assert await harness.handlers.selection.resend_stale_selections() == 0
        with refused(Reason.ILLEGAL_STATE):
            await harness.withdraw(application)
        harness.workflows.refusal = None
        harness.now += timedelta(minutes=2)
        assert await harness.handlers.selection.resend_stale_selections() == 1
    assert await harness.state_of(application) == SELECTED
    assert {command[3] for command in harness.workflows.commands} == {request}


async def test_a_resent_selection_is_complete_although_another_took_one_of_it(
    harness: Harness,
) -> None:
    """Otherwise only a part of the selection would be made."""
    task = await harness.task()
    first, second = await harness.apply(task), await harness.apply(task, "cem")
    async with _left_behind(harness, first, second, task=task):
        await harness.select(task, [first])
        harness.now += timedelta(minutes=2)
        harness.workflows.refusal = FailedPrecondition(Reason.ILLEGAL_STATE, "Selected already")
        assert await harness.handlers.selection.resend_stale_selections() == 1
        harness.workflows.refusal = None
        assert len(harness.workflows.commands[-1][2]) == 2  # type: ignore[arg-type]  # selections
    assert await harness.state_of(first) == SELECTED
    await harness.withdraw(second, "cem")


async def test_a_late_refusal_keeps_the_claims_of_a_resent_selection(harness: Harness) -> None:
    """The workflow does not remember refusals: a later attempt may be accepted."""
    task = await harness.task()
    application = await harness.apply(task)
    request = _request(task, application)
    outer, inner = _deciding(harness, request), _deciding(harness, request)
    await outer.__aenter__()
    harness.now += timedelta(minutes=2)
    await inner.__aenter__()
    harness.workflows.refusal = FailedPrecondition(Reason.SLOTS_EXHAUSTED, "Not now")
    await outer.__aexit__(None, None, None)
    harness.workflows.refusal = None
    with refused(Reason.ILLEGAL_STATE):
        await harness.withdraw(application)
    await inner.__aexit__(None, None, None)
    assert await harness.state_of(application) == SELECTED
