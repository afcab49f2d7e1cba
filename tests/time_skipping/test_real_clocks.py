"""The same clocks on the production server, where each workflow has its own time."""

import pytest

from servicekit.timestamps import from_timestamp
from tests.time_skipping.harness import PRODUCT, Harness
from tests.time_skipping.timing import DAY, HOUR, MINUTE, utc

pytestmark = pytest.mark.xdist_group("time_skipping")


@pytest.mark.rule("R27")
async def test_the_review_reminds_three_times_and_ends_after_five_days(
    real_harness: Harness,
) -> None:
    assignment = await real_harness.selected_creator()
    await assignment.submit()
    submitted = await assignment.time_of("WORK_SUBMITTED")
    await assignment.pass_until(submitted + 5 * DAY, -MINUTE)
    await assignment.saw("REVIEW_REMINDED", 3)
    assert await assignment.state() == "IN_REVIEW"
    await assignment.pass_until(submitted + 5 * DAY)
    await assignment.until("COMPLETED")
    assert await assignment.time_of("WORK_APPROVED") - submitted - 5 * DAY < MINUTE
    assert await assignment.payout() == "PAID"


@pytest.mark.rule("R26", "R45")
async def test_a_deadline_expires_and_the_window_to_reopen_closes(real_harness: Harness) -> None:
    assignment = await real_harness.selected_creator(submission=25 * DAY)
    _, deadline = await assignment.clock()
    await assignment.pass_until(deadline)
    await assignment.until("EXPIRED")
    await assignment.comment()
    await assignment.pass_time(30 * DAY)
    await assignment.until_payout("RELEASED")


@pytest.mark.rule("R29", "R53")
async def test_a_late_product_sent_on_31_january_completes_on_29_february(
    real_harness: Harness,
) -> None:
    sent = utc(2028, 1, 31)
    assignment = await real_harness.selected_creator(
        reward=PRODUCT, submission=sent + DAY - await real_harness.now()
    )
    await assignment.pass_until(sent - 6 * DAY)
    await assignment.submit()
    await assignment.approve()
    await assignment.pass_until(sent)
    await assignment.saw("REWARD_OVERDUE")
    await assignment.ship()
    moment = await assignment.time_of("REWARD_SENT")
    due = moment.replace(month=2, day=29)
    assert await assignment.clock() == ("COMPLETION", due)
    await assignment.pass_until(due, -HOUR)
    assert await assignment.state() == "REWARDED"
    await assignment.pass_until(due)
    await assignment.until("COMPLETED")


@pytest.mark.rule("R52")
async def test_a_dispute_is_overdue_after_a_month_and_stays_open(real_harness: Harness) -> None:
    assignment = await real_harness.selected_creator()
    dispute = await assignment.dispute(assignment.creator.caller, "MATERIALS_NOT_PROVIDED")
    due = from_timestamp((await dispute.read()).resolution_due_time)
    await dispute.pass_time(due - await real_harness.now() - HOUR)
    await dispute.saw("DISPUTE_REMINDED", 2)
    assert not (await dispute.read()).is_overdue
    await dispute.pass_time(2 * HOUR)
    await dispute.saw("DISPUTE_OVERDUE")
    await dispute.pass_time(60 * DAY)
    assert await dispute.state() == "OPEN"


@pytest.mark.rule("R25")
async def test_a_task_without_a_selection_is_unfilled_after_72_hours(real_harness: Harness) -> None:
    task = await real_harness.task()
    creator = await real_harness.creator()
    application = await task.apply(creator)
    deadline = await task.application_deadline()
    await task.pass_until(deadline + 71 * HOUR)
    await task.until("SELECTING")
    await task.pass_until(deadline + 72 * HOUR)
    await task.until("UNFILLED")
    await task.until_application(application, "LAPSED")
    await task.until_notified(creator)
