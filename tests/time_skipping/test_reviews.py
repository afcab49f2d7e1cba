"""Reviews: what the brand's silence does, and how often changes can be requested."""

import pytest

from servicekit.errors import Reason
from tests.support.serving import refused
from tests.time_skipping.harness import Harness
from tests.time_skipping.timing import DAY, HOUR, MINUTE

pytestmark = pytest.mark.xdist_group("time_skipping")


@pytest.mark.rule("R27")
async def test_five_days_of_silence_approve_the_work_in_the_brands_name(harness: Harness) -> None:
    assignment = await harness.selected_creator()
    await assignment.submit()
    submitted = await assignment.time_of("WORK_SUBMITTED")
    assert await assignment.clock() == ("REVIEW", submitted + 5 * DAY)
    await assignment.pass_until(submitted + 5 * DAY, -MINUTE)
    await assignment.saw("REVIEW_REMINDED", 3)
    assert await assignment.state() == "IN_REVIEW"
    await assignment.pass_until(submitted + 5 * DAY)
    resource = await assignment.until("COMPLETED")
    assert resource.confirmed_by == resource.CONFIRMED_BY_SYSTEM
    assert (
        submitted + 5 * DAY
        <= await assignment.time_of("WORK_APPROVED")
        < submitted + 5 * DAY + MINUTE
    )
    assert await assignment.payout() == "PAID"
    assert (await assignment.notified_events(assignment.brand)).count("WORK_APPROVED") == 1


async def test_the_brand_is_reminded_after_48_96_and_114_hours_once_each(harness: Harness) -> None:
    assignment = await harness.selected_creator()
    await assignment.submit()
    submitted = await assignment.time_of("WORK_SUBMITTED")
    for count, hours in enumerate((48, 96, 114)):
        await assignment.pass_until(submitted + hours * HOUR, -MINUTE)
        assert (await assignment.events()).count("REVIEW_REMINDED") == count
        await assignment.pass_until(submitted + hours * HOUR)
        await assignment.saw("REVIEW_REMINDED", count + 1)
        assert await assignment.time_of("REVIEW_REMINDED") - submitted - hours * HOUR < MINUTE
    await assignment.pass_until(submitted + 5 * DAY)
    await assignment.saw("WORK_APPROVED")
    assert (await assignment.events()).count("REVIEW_REMINDED") == 3
    assert (await assignment.notified_events(assignment.brand)).count("REVIEW_REMINDED") == 3


@pytest.mark.rule("R27", "R28")
async def test_every_round_has_five_days_afresh_and_a_third_request_is_refused(
    harness: Harness,
) -> None:
    assignment = await harness.selected_creator(submission=30 * DAY)
    for _ in range(2):
        await assignment.submit()
        await assignment.pass_time(4 * DAY)
        await assignment.ask()
    await assignment.submit()
    with refused(Reason.REVISION_LIMIT_REACHED):
        await assignment.ask()
    submitted = await assignment.time_of("WORK_SUBMITTED")
    assert await assignment.clock() == ("REVIEW", submitted + 5 * DAY)
    await assignment.pass_until(submitted + 5 * DAY, -MINUTE)
    assert await assignment.state() == "IN_REVIEW"
    await assignment.pass_until(submitted + 5 * DAY)
    resource = await assignment.until("COMPLETED")
    assert [one.round for one in resource.change_requests] == [1, 2]
    assert [one.version for one in resource.submissions] == [1, 2, 3]
    assert (await assignment.events()).count("WORK_APPROVED") == 1


@pytest.mark.rule("R28")
async def test_rework_that_does_not_come_lapses_three_days_after_a_late_request(
    harness: Harness,
) -> None:
    assignment = await harness.selected_creator(submission=5 * DAY)
    await assignment.pass_time(DAY)
    await assignment.submit()
    await assignment.pass_time(4 * DAY + HOUR)  # beyond the original deadline
    await assignment.ask()
    asked = await assignment.time_of("CHANGES_REQUESTED")
    assert await assignment.clock() == ("REWORK", asked + 3 * DAY)
    await assignment.pass_until(asked + 3 * DAY, -MINUTE)
    assert await assignment.state() == "CHANGES_REQUESTED"
    await assignment.pass_until(asked + 3 * DAY)
    await assignment.until("IN_REVIEW")
    assert len((await assignment.read()).submissions) == 1
    with refused(Reason.ILLEGAL_STATE):
        await assignment.submit()


@pytest.mark.rule("R28")
async def test_rework_has_at_least_until_the_original_deadline(harness: Harness) -> None:
    assignment = await harness.selected_creator(submission=10 * DAY)
    deadline = (await assignment.clock())[1]
    await assignment.submit()
    await assignment.ask()
    assert await assignment.clock() == ("REWORK", deadline)
    await assignment.pass_until(deadline, -MINUTE)
    assert await assignment.state() == "CHANGES_REQUESTED"
    await assignment.pass_until(deadline)
    await assignment.until("IN_REVIEW")
    await assignment.pass_until(deadline + 5 * DAY)
    await assignment.until("COMPLETED")
    assert "REWORK_LAPSED" in await assignment.notified_events(assignment.creator.caller)
