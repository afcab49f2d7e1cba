"""Deadlines that pass: of submitting, of reopening, of selecting."""

from datetime import timedelta

import pytest

from servicekit.errors import Reason
from tests.support.serving import refused
from tests.time_skipping.moments import DAY, HOUR, MINUTE
from tests.time_skipping.stage import Stage

pytestmark = pytest.mark.xdist_group("months")


@pytest.mark.rule("R26", "R45", "R47")
async def test_work_that_is_not_submitted_in_time_expires_and_is_explained(stage: Stage) -> None:
    life = await stage.selected_creator(submission=40 * DAY)
    _, deadline = await life.clock()
    await life.pass_until(deadline, -MINUTE)
    assert await life.state() == "IN_PROGRESS"
    await life.pass_until(deadline)
    assignment = await life.until("EXPIRED")
    assert assignment.fault == assignment.FAULT_CREATOR
    assert "EXPIRED" in await life.told(life.creator.caller)
    with refused(Reason.ILLEGAL_STATE):
        await life.submit()
    await life.comment("EMERGENCY")
    assert (await life.read()).expiry_comment.comment == "It is so"
    assert "EXPIRY_COMMENTED" in await life.told(life.brand)


@pytest.mark.rule("R44")
async def test_materials_that_the_brand_did_not_give_put_the_fault_on_its_side(
    stage: Stage,
) -> None:
    life = await stage.selected_creator()
    await life.pass_time(10 * DAY + MINUTE)
    await life.until("EXPIRED")
    await life.comment("MATERIALS_NOT_PROVIDED")
    assignment = await life.read()
    assert assignment.fault == assignment.FAULT_BRAND


@pytest.mark.rule("R26")
async def test_an_expired_assignment_is_reopened_within_thirty_days(stage: Stage) -> None:
    life = await stage.selected_creator()
    await life.pass_time(10 * DAY + MINUTE)
    await life.until("EXPIRED")
    expired = await life.time_of("EXPIRED")
    assert await life.clock() == ("REOPEN", expired + 30 * DAY)
    await life.pass_until(expired + 30 * DAY, -HOUR)
    deadline = await life.now() + 7 * DAY
    await life.reopen(deadline)
    assignment = await life.until("IN_PROGRESS")
    assert assignment.fault == assignment.FAULT_UNSPECIFIED
    assert await life.clock() == ("SUBMISSION", deadline)
    await life.submit()
    await life.approve()
    await life.until("COMPLETED")


async def test_after_thirty_days_nothing_is_reopened_and_the_reward_goes_back(
    stage: Stage,
) -> None:
    life = await stage.selected_creator()
    await life.pass_time(10 * DAY + MINUTE)
    await life.until("EXPIRED")
    await life.pass_time(30 * DAY + MINUTE)
    await life.until_payout("RELEASED")
    await life.saw("CLOSED")
    with refused(Reason.ILLEGAL_STATE):
        await life.reopen(await stage.now() + 7 * DAY)
    with refused(Reason.ILLEGAL_STATE):
        await life.comment()


@pytest.mark.rule("R25")
async def test_a_task_for_which_nobody_is_selected_in_72_hours_is_unfilled(stage: Stage) -> None:
    task = await stage.task()
    creators = [await stage.creator() for _ in range(2)]
    applications = [await task.apply(creator) for creator in creators]
    deadline = await task.application_deadline()
    assert await task.selection_deadline() == deadline + timedelta(hours=72)
    await task.pass_until(deadline)
    await task.until("SELECTING")
    await task.pass_until(deadline + 72 * HOUR - 2 * MINUTE)
    assert await task.state() == "SELECTING"
    await task.pass_until(deadline + 72 * HOUR)
    await task.until("UNFILLED")
    with refused(Reason.ILLEGAL_STATE):
        await task.select(applications[0])
    for creator, application in zip(creators, applications, strict=True):
        await task.until_application(application, "LAPSED")
        await task.until_told(creator)


@pytest.mark.rule("R25")
async def test_those_who_are_selected_go_on_when_the_selection_closes(stage: Stage) -> None:
    task = await stage.task(slots=2)
    creators = [await stage.creator() for _ in range(2)]
    applications = [await task.apply(creator) for creator in creators]
    (life,) = await task.select(applications[0])
    deadline = await task.selection_deadline()
    await task.pass_until(deadline)
    await task.until("IN_PROGRESS")
    await task.until_application(applications[1], "LAPSED")
    await life.submit()
    await life.approve()
    await life.until("COMPLETED")
    await life.pass_time(32 * DAY)  # no dispute can be opened any more
    await task.until("CLOSED")


@pytest.mark.rule("R25")
async def test_a_brand_ends_the_selection_with_those_it_has(stage: Stage) -> None:
    task = await stage.task(slots=3)
    creators = [await stage.creator() for _ in range(2)]
    applications = [await task.apply(creator) for creator in creators]
    (life,) = await task.select(applications[0])
    await task.end_selection()
    await task.until("IN_PROGRESS")
    await task.until_application(applications[1], "LAPSED")
    await life.pass_time(10 * DAY + MINUTE)
    await life.until("EXPIRED")
    await life.pass_time(30 * DAY)
    await task.until("CLOSED")


async def test_a_task_is_cancelled_while_nobody_is_selected(stage: Stage) -> None:
    task = await stage.task()
    creator = await stage.creator()
    application = await task.apply(creator)
    await task.pass_until(await task.application_deadline())
    await task.until("SELECTING")
    await task.cancel()
    await task.until("CANCELLED")
    await task.until_application(application, "LAPSED")
    await task.until_told(creator)
