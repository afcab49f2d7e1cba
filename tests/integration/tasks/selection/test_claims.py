"""Claims: a selection claims all of its applications or none; no claimed one is withdrawn."""

import asyncio

import pytest
from liaison.tasks.v1 import tasks_pb2 as pb

from servicekit.errors import FailedPrecondition, Reason
from tests.integration.tasks.harness import Harness, id_of
from tests.integration.tasks.selection.deciding_workflow import select_request, workflow_deciding
from tests.support.serving import refused

APPLIED, SELECTED = pb.Application.STATE_APPLIED, pb.Application.STATE_SELECTED


async def test_a_refused_selection_releases_all_claims(harness: Harness) -> None:
    task = await harness.task()
    first, second = await harness.apply(task), await harness.apply(task, "cem")
    harness.workflows.refusal = FailedPrecondition(Reason.INSUFFICIENT_FUNDS, "Deposit first")
    with refused(Reason.INSUFFICIENT_FUNDS):
        await harness.select(task, [first, second])
    harness.workflows.refusal = None
    assert (await harness.withdraw(first)).state == pb.Application.STATE_WITHDRAWN
    await harness.select(task, [second])


async def test_all_of_them_are_selected_or_none(harness: Harness) -> None:
    task = await harness.task()
    first, second = await harness.apply(task), await harness.apply(task, "cem")
    await harness.withdraw(second, "cem")
    with refused(Reason.ILLEGAL_STATE) as caught:
        await harness.select(task, [first, second])
    assert caught.value.metadata == {"state": "WITHDRAWN", "command": "SelectApplications"}
    assert caught.value.message.startswith(f"{second.name} is WITHDRAWN:")
    assert harness.workflows.commands == []
    assert await harness.state_of(first) == APPLIED
    assert (await harness.withdraw(first)).state == pb.Application.STATE_WITHDRAWN


@pytest.mark.rule("R46")
async def test_no_application_is_withdrawn_while_the_workflow_decides(harness: Harness) -> None:
    task = await harness.task()
    application = await harness.apply(task)
    async with workflow_deciding(harness, select_request(task, application)):
        with refused(Reason.ILLEGAL_STATE) as caught:
            await harness.withdraw(application)
        assert caught.value.metadata == {"state": "APPLIED", "command": "WithdrawApplication"}
        assert "is APPLIED and being selected:" in caught.value.message
    assert await harness.state_of(application) == SELECTED


async def test_a_second_selection_does_not_take_what_the_first_has_claimed(
    harness: Harness,
) -> None:
    task = await harness.task()
    application = await harness.apply(task)
    async with workflow_deciding(harness, select_request(task, application)):
        harness.workflows.refusal = FailedPrecondition(Reason.ILLEGAL_STATE, "Selected already")
        with refused(Reason.ILLEGAL_STATE):
            await harness.select(task, [application])
        harness.workflows.refusal = None
        with refused(Reason.ILLEGAL_STATE):
            await harness.withdraw(application)
    assert await harness.state_of(application) == SELECTED


async def test_a_refused_selection_keeps_the_claims_of_another(
    harness: Harness,
) -> None:
    """Otherwise it could be withdrawn and still be selected."""
    task = await harness.task()
    first, second = await harness.apply(task), await harness.apply(task, "cem")
    async with workflow_deciding(harness, select_request(task, first)):
        harness.workflows.refusal = FailedPrecondition(Reason.SLOTS_EXHAUSTED, "One slot is left")
        async with workflow_deciding(harness, select_request(task, first, second)):
            pass
        harness.workflows.refusal = None
        with refused(Reason.ILLEGAL_STATE):
            await harness.withdraw(first)
        await harness.withdraw(second, "cem")
    assert await harness.state_of(first) == SELECTED


async def test_the_first_selection_may_be_the_one_that_is_refused(harness: Harness) -> None:
    task = await harness.task()
    first, second = await harness.apply(task), await harness.apply(task, "cem")
    outer = workflow_deciding(harness, select_request(task, first, second))
    inner = workflow_deciding(harness, select_request(task, first))
    await outer.__aenter__()
    await inner.__aenter__()
    harness.workflows.refusal = FailedPrecondition(Reason.SLOTS_EXHAUSTED, "One slot is left")
    await outer.__aexit__(None, None, None)
    harness.workflows.refusal = None
    with refused(Reason.ILLEGAL_STATE):
        await harness.withdraw(first)
    await inner.__aexit__(None, None, None)
    assert await harness.state_of(first) == SELECTED


@pytest.mark.rule("R39")
async def test_a_withdrawn_application_is_not_selected(harness: Harness) -> None:
    """Whichever comes first, a withdrawn application never has an assignment."""
    task = await harness.task()
    for creator in ("bea", "cem", "dan", "eve"):
        application = await harness.apply(task, creator)
        await asyncio.gather(
            harness.withdraw(application, creator),
            harness.select(task, [application]),
            return_exceptions=True,
        )
        is_selected = id_of(application) in harness.workflows.selected.get(id_of(task), [])
        expected = SELECTED if is_selected else pb.Application.STATE_WITHDRAWN
        assert await harness.state_of(application) == expected
