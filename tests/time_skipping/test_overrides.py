"""What an operator does where somebody is waited for and nobody acts."""

import pytest

from servicekit.errors import Reason
from tests.support.serving import refused
from tests.time_skipping.life import Life
from tests.time_skipping.moments import DAY, MINUTE
from tests.time_skipping.stage import PRODUCT, Stage

pytestmark = pytest.mark.xdist_group("months")


async def _last(life: Life) -> tuple[str, str, bool]:
    """The event that the override was, who did it and whether it says why."""
    done = [one for one in await life.transitions() if one.actor == "staff/olga"][-1]
    return done.event, done.actor, "Nobody answers" in done.comment


async def test_a_deadline_is_moved(stage: Stage) -> None:
    life = await stage.selected_creator()
    _, deadline = await life.clock()
    await life.override("MOVE_CLOCK", deadline + 20 * DAY)
    assert await _last(life) == ("CLOCK_MOVED", "staff/olga", True)
    await life.pass_until(deadline + DAY)
    assert await life.state() == "IN_PROGRESS"
    await life.pass_until(deadline + 20 * DAY)
    await life.until("EXPIRED")


async def test_work_is_approved_in_the_brands_stead(stage: Stage) -> None:
    life = await stage.selected_creator()
    await life.submit()
    await life.pass_time(DAY)
    await life.override("APPROVE")
    assignment = await life.until("COMPLETED")
    assert assignment.confirmed_by == assignment.CONFIRMED_BY_OPERATOR
    assert await _last(life) == ("WORK_APPROVED", "staff/olga", True)


async def test_rework_goes_back_to_review(stage: Stage) -> None:
    life = await stage.selected_creator()
    await life.submit()
    await life.ask()
    with refused(Reason.ILLEGAL_STATE):
        await life.override("EXPIRE")
    await life.pass_time(DAY)
    await life.override("RETURN_TO_REVIEW")
    assert await life.state() == "IN_REVIEW"
    await life.pass_time(5 * DAY)
    await life.until("COMPLETED")


async def test_what_is_given_up_expires_is_reopened_and_closed_for_good(stage: Stage) -> None:
    life = await stage.selected_creator()
    await life.pass_time(DAY)
    await life.override("EXPIRE")
    await life.until("EXPIRED")
    await life.pass_time(20 * DAY)
    deadline = await life.now() + 5 * DAY
    await life.override("REOPEN", deadline)
    assert await life.clock() == ("SUBMISSION", deadline)
    await life.pass_until(deadline)
    await life.until("EXPIRED")
    await life.override("CLOSE")
    assert await _last(life) == ("CLOSED", "staff/olga", True)
    await life.until_payout("RELEASED")
    with refused(Reason.ILLEGAL_STATE):
        await life.override("REOPEN", deadline + 30 * DAY)


@pytest.mark.parametrize("state", ["IN_PROGRESS", "IN_REVIEW", "CHANGES_REQUESTED"])
async def test_what_leads_nowhere_is_cancelled(stage: Stage, state: str) -> None:
    life = await stage.selected_creator()
    if state != "IN_PROGRESS":
        await life.submit()
    if state == "CHANGES_REQUESTED":
        await life.ask()
    assert await life.state() == state
    await life.override("CANCEL")
    await life.until("CANCELLED")
    await life.until_payout("RELEASED")


async def test_a_product_that_is_never_shipped_ends_in_a_cancellation(stage: Stage) -> None:
    life = await stage.selected_creator(reward=PRODUCT)
    await life.submit()
    await life.approve()
    await life.pass_time(30 * DAY)
    await life.override("CANCEL")
    await life.until("CANCELLED")


async def test_a_payout_that_waits_is_sent_now(stage: Stage) -> None:
    life = await stage.selected_creator(paypal="FAILED_LATE")
    await life.submit()
    await life.approve()
    await life.saw("PAYOUT_FAILED")
    await life.correct_paypal_account()
    await life.override("RETRY_REWARD")
    await life.until("COMPLETED")
    assert await life.payout() == "PAID"


async def test_a_reward_counts_as_received_and_disputes_are_over(stage: Stage) -> None:
    life = await stage.selected_creator(reward=PRODUCT)
    await life.submit()
    await life.approve()
    await life.ship()
    await life.until("REWARDED")
    await life.pass_time(7 * DAY)
    await life.override("COMPLETE")
    await life.until("COMPLETED")
    await life.pass_time(DAY + MINUTE)
    await life.override("CLOSE")
    await life.saw("CLOSED")
    await life.until_over()
    with refused(Reason.DISPUTE_NOT_ALLOWED):
        await life.dispute(life.brand, "FRAUD")
