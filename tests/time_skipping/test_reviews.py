"""Work that was submitted: what silence does, and how often changes can be asked for."""

import pytest

from servicekit.errors import Reason
from tests.support.serving import refused
from tests.time_skipping.moments import DAY, HOUR, MINUTE
from tests.time_skipping.stage import Stage

pytestmark = pytest.mark.xdist_group("months")


@pytest.mark.rule("R27")
async def test_five_days_of_silence_approve_the_work_in_the_brands_name(stage: Stage) -> None:
    life = await stage.selected_creator()
    await life.submit()
    submitted = await life.time_of("WORK_SUBMITTED")
    assert await life.clock() == ("REVIEW", submitted + 5 * DAY)
    await life.pass_until(submitted + 5 * DAY, -MINUTE)
    await life.saw("REVIEW_REMINDED", 3)
    assert await life.state() == "IN_REVIEW"
    await life.pass_until(submitted + 5 * DAY)
    assignment = await life.until("COMPLETED")
    assert assignment.confirmed_by == assignment.CONFIRMED_BY_SYSTEM
    assert submitted + 5 * DAY <= await life.time_of("WORK_APPROVED") < submitted + 5 * DAY + MINUTE
    assert await life.payout() == "PAID"
    assert (await life.told(life.brand)).count("WORK_APPROVED") == 1


async def test_the_brand_is_reminded_after_48_96_and_114_hours_once_each(stage: Stage) -> None:
    life = await stage.selected_creator()
    await life.submit()
    submitted = await life.time_of("WORK_SUBMITTED")
    for count, hours in enumerate((48, 96, 114)):
        await life.pass_until(submitted + hours * HOUR, -MINUTE)
        assert (await life.events()).count("REVIEW_REMINDED") == count
        await life.pass_until(submitted + hours * HOUR)
        await life.saw("REVIEW_REMINDED", count + 1)
        assert await life.time_of("REVIEW_REMINDED") - submitted - hours * HOUR < MINUTE
    await life.pass_until(submitted + 5 * DAY)
    await life.saw("WORK_APPROVED")
    assert (await life.events()).count("REVIEW_REMINDED") == 3
    assert (await life.told(life.brand)).count("REVIEW_REMINDED") == 3


@pytest.mark.rule("R27", "R28")
async def test_every_round_has_five_days_afresh_and_a_third_request_is_refused(
    stage: Stage,
) -> None:
    life = await stage.selected_creator(submission=30 * DAY)
    for _ in range(2):
        await life.submit()
        await life.pass_time(4 * DAY)
        await life.ask()
    await life.submit()
    with refused(Reason.REVISION_LIMIT_REACHED):
        await life.ask()
    submitted = await life.time_of("WORK_SUBMITTED")
    assert await life.clock() == ("REVIEW", submitted + 5 * DAY)
    await life.pass_until(submitted + 5 * DAY, -MINUTE)
    assert await life.state() == "IN_REVIEW"
    await life.pass_until(submitted + 5 * DAY)
    assignment = await life.until("COMPLETED")
    assert [one.round for one in assignment.change_requests] == [1, 2]
    assert [one.version for one in assignment.submissions] == [1, 2, 3]
    assert (await life.events()).count("WORK_APPROVED") == 1


@pytest.mark.rule("R28")
async def test_rework_that_does_not_come_lapses_three_days_after_a_late_request(
    stage: Stage,
) -> None:
    life = await stage.selected_creator(submission=5 * DAY)
    await life.pass_time(DAY)
    await life.submit()
    await life.pass_time(4 * DAY + HOUR)  # beyond the original deadline
    await life.ask()
    asked = await life.time_of("CHANGES_REQUESTED")
    assert await life.clock() == ("REWORK", asked + 3 * DAY)
    await life.pass_until(asked + 3 * DAY, -MINUTE)
    assert await life.state() == "CHANGES_REQUESTED"
    await life.pass_until(asked + 3 * DAY)
    await life.until("IN_REVIEW")
    assert len((await life.read()).submissions) == 1
    with refused(Reason.ILLEGAL_STATE):
        await life.submit()


@pytest.mark.rule("R28")
async def test_rework_has_at_least_until_the_original_deadline(stage: Stage) -> None:
    life = await stage.selected_creator(submission=10 * DAY)
    deadline = (await life.clock())[1]
    await life.submit()
    await life.ask()
    assert await life.clock() == ("REWORK", deadline)
    await life.pass_until(deadline, -MINUTE)
    assert await life.state() == "CHANGES_REQUESTED"
    await life.pass_until(deadline)
    await life.until("IN_REVIEW")
    await life.pass_until(deadline + 5 * DAY)
    await life.until("COMPLETED")
    assert "REWORK_LAPSED" in await life.told(life.creator.caller)
