"""The same clocks on the server that production runs, where each workflow has a time of its own."""

import pytest

from servicekit.timestamps import from_timestamp
from tests.time_skipping.moments import DAY, HOUR, MINUTE, utc
from tests.time_skipping.stage import PRODUCT, Stage

pytestmark = pytest.mark.xdist_group("months")


@pytest.mark.rule("R27")
async def test_the_review_reminds_three_times_and_ends_after_five_days(real_stage: Stage) -> None:
    life = await real_stage.selected_creator()
    await life.submit()
    submitted = await life.time_of("WORK_SUBMITTED")
    await life.pass_until(submitted + 5 * DAY, -MINUTE)
    await life.saw("REVIEW_REMINDED", 3)
    assert await life.state() == "IN_REVIEW"
    await life.pass_until(submitted + 5 * DAY)
    await life.until("COMPLETED")
    assert await life.time_of("WORK_APPROVED") - submitted - 5 * DAY < MINUTE
    assert await life.payout() == "PAID"


@pytest.mark.rule("R26", "R45")
async def test_a_deadline_expires_and_the_window_to_reopen_closes(real_stage: Stage) -> None:
    life = await real_stage.selected_creator(submission=25 * DAY)
    _, deadline = await life.clock()
    await life.pass_until(deadline)
    await life.until("EXPIRED")
    await life.comment()
    await life.pass_time(30 * DAY)
    await life.until_payout("RELEASED")


@pytest.mark.rule("R29", "R53")
async def test_a_late_product_sent_on_31_january_completes_on_29_february(
    real_stage: Stage,
) -> None:
    sent = utc(2028, 1, 31)
    life = await real_stage.selected_creator(
        reward=PRODUCT, submission=sent + DAY - await real_stage.now()
    )
    await life.pass_until(sent - 6 * DAY)
    await life.submit()
    await life.approve()
    await life.pass_until(sent)
    await life.saw("REWARD_OVERDUE")
    await life.ship()
    moment = await life.time_of("REWARD_SENT")
    due = moment.replace(month=2, day=29)
    assert await life.clock() == ("COMPLETION", due)
    await life.pass_until(due, -HOUR)
    assert await life.state() == "REWARDED"
    await life.pass_until(due)
    await life.until("COMPLETED")


@pytest.mark.rule("R52")
async def test_a_dispute_is_overdue_after_a_month_and_stays_open(real_stage: Stage) -> None:
    life = await real_stage.selected_creator()
    dispute = await life.dispute(life.creator.caller, "MATERIALS_NOT_PROVIDED")
    due = from_timestamp((await dispute.read()).resolution_due_time)
    await dispute.pass_time(due - await real_stage.now() - HOUR)
    await dispute.saw("DISPUTE_REMINDED", 2)
    assert not (await dispute.read()).is_overdue
    await dispute.pass_time(2 * HOUR)
    await dispute.saw("DISPUTE_OVERDUE")
    await dispute.pass_time(60 * DAY)
    assert await dispute.state() == "OPEN"


@pytest.mark.rule("R25")
async def test_a_task_without_a_selection_is_unfilled_after_72_hours(real_stage: Stage) -> None:
    task = await real_stage.task()
    creator = await real_stage.creator()
    application = await task.apply(creator)
    deadline = await task.application_deadline()
    await task.pass_until(deadline + 71 * HOUR)
    await task.until("SELECTING")
    await task.pass_until(deadline + 72 * HOUR)
    await task.until("UNFILLED")
    await task.until_application(application, "LAPSED")
    await task.until_told(creator)
