"""Deadlines that expire: submission, reopening, selection."""

from datetime import timedelta

import pytest

from servicekit.errors import Reason
from tests.support.serving import refused
from tests.time_skipping.harness import Harness
from tests.time_skipping.timing import DAY, HOUR, MINUTE

pytestmark = pytest.mark.xdist_group("time_skipping")


@pytest.mark.rule("R26", "R45", "R47")
async def test_work_that_is_not_submitted_in_time_expires_and_is_explained(
    harness: Harness,
) -> None:
    assignment = await harness.selected_creator(submission=40 * DAY)
    _, deadline = await assignment.clock()
    await assignment.pass_until(deadline, -MINUTE)
    assert await assignment.state() == "IN_PROGRESS"
    await assignment.pass_until(deadline)
    resource = await assignment.until("EXPIRED")
    assert resource.fault == resource.FAULT_CREATOR
    assert "EXPIRED" in await assignment.notified_events(assignment.creator.caller)
    with refused(Reason.ILLEGAL_STATE):
        await assignment.submit()
    await assignment.comment("EMERGENCY")
    assert (await assignment.read()).expiry_comment.comment == "It is so"
    assert "EXPIRY_COMMENTED" in await assignment.notified_events(assignment.brand)


@pytest.mark.rule("R44")
async def test_materials_that_the_brand_did_not_give_put_the_fault_on_its_side(
    harness: Harness,
) -> None:
    assignment = await harness.selected_creator()
    await assignment.pass_time(10 * DAY + MINUTE)
    await assignment.until("EXPIRED")
    await assignment.comment("MATERIALS_NOT_PROVIDED")
    resource = await assignment.read()
    assert resource.fault == resource.FAULT_BRAND


@pytest.mark.rule("R26")
async def test_an_expired_assignment_is_reopened_within_thirty_days(harness: Harness) -> None:
    assignment = await harness.selected_creator()
    await assignment.pass_time(10 * DAY + MINUTE)
    await assignment.until("EXPIRED")
    expired = await assignment.time_of("EXPIRED")
    assert await assignment.clock() == ("REOPEN", expired + 30 * DAY)
    await assignment.pass_until(expired + 30 * DAY, -HOUR)
    deadline = await assignment.now() + 7 * DAY
    await assignment.reopen(deadline)
    resource = await assignment.until("IN_PROGRESS")
    assert resource.fault == resource.FAULT_UNSPECIFIED
    assert await assignment.clock() == ("SUBMISSION", deadline)
    await assignment.submit()
    await assignment.approve()
    await assignment.until("COMPLETED")


async def test_after_thirty_days_nothing_is_reopened_and_the_reward_goes_back(
    harness: Harness,
) -> None:
    assignment = await harness.selected_creator()
    await assignment.pass_time(10 * DAY + MINUTE)
    await assignment.until("EXPIRED")
    await assignment.pass_time(30 * DAY + MINUTE)
    await assignment.until_payout("RELEASED")
    await assignment.saw("CLOSED")
    with refused(Reason.ILLEGAL_STATE):
        await assignment.reopen(await harness.now() + 7 * DAY)
    with refused(Reason.ILLEGAL_STATE):
        await assignment.comment()


@pytest.mark.rule("R25")
async def test_a_task_for_which_nobody_is_selected_in_72_hours_is_unfilled(
    harness: Harness,
) -> None:
    task = await harness.task()
    creators = [await harness.creator() for _ in range(2)]
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
        await task.until_notified(creator)


@pytest.mark.rule("R25")
async def test_those_who_are_selected_go_on_when_the_selection_closes(harness: Harness) -> None:
    task = await harness.task(slots=2)
    creators = [await harness.creator() for _ in range(2)]
    applications = [await task.apply(creator) for creator in creators]
    (assignment,) = await task.select(applications[0])
    deadline = await task.selection_deadline()
    await task.pass_until(deadline)
    await task.until("IN_PROGRESS")
    await task.until_application(applications[1], "LAPSED")
    await assignment.submit()
    await assignment.approve()
    await assignment.until("COMPLETED")
    await assignment.pass_time(32 * DAY)  # no dispute can be opened any more
    await task.until("CLOSED")


@pytest.mark.rule("R25")
async def test_a_brand_ends_the_selection_with_those_it_has(harness: Harness) -> None:
    task = await harness.task(slots=3)
    creators = [await harness.creator() for _ in range(2)]
    applications = [await task.apply(creator) for creator in creators]
    (assignment,) = await task.select(applications[0])
    await task.end_selection()
    await task.until("IN_PROGRESS")
    await task.until_application(applications[1], "LAPSED")
    await assignment.pass_time(10 * DAY + MINUTE)
    await assignment.until("EXPIRED")
    await assignment.pass_time(30 * DAY)
    await task.until("CLOSED")


async def test_a_task_is_cancelled_while_nobody_is_selected(harness: Harness) -> None:
    task = await harness.task()
    creator = await harness.creator()
    application = await task.apply(creator)
    await task.pass_until(await task.application_deadline())
    await task.until("SELECTING")
    await task.cancel()
    await task.until("CANCELLED")
    await task.until_application(application, "LAPSED")
    await task.until_notified(creator)
