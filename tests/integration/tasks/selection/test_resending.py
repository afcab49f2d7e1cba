"""Selections that a crash left behind are sent again under their own request."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from liaison.tasks.v1 import tasks_pb2 as pb

from servicekit.errors import FailedPrecondition, Reason, Unavailable
from tests.integration.tasks.harness import Harness, id_of
from tests.integration.tasks.selection.deciding_workflow import select_request, workflow_deciding
from tests.support.serving import refused
from workflows.task.model import Selection

APPLIED, SELECTED = pb.Application.STATE_APPLIED, pb.Application.STATE_SELECTED


_NO_ANSWER = Unavailable(Reason.OUTCOME_UNKNOWN, "No answer")


@asynccontextmanager
async def _left_behind(
    harness: Harness, *applications: pb.Application, task: pb.Task
) -> AsyncIterator[str]:
    """Leaves a selection pending, as a crash would; yields its request id."""
    request = select_request(task, *applications)
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
    request = select_request(task, application)
    outer, inner = workflow_deciding(harness, request), workflow_deciding(harness, request)
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
