"""Overrides by operators in each waiting state."""

import pytest

from servicekit.errors import Reason
from tests.support.serving import refused
from tests.time_skipping.assignment_driver import AssignmentDriver
from tests.time_skipping.harness import PRODUCT, Harness
from tests.time_skipping.timing import DAY, MINUTE

pytestmark = pytest.mark.xdist_group("time_skipping")


async def _last(assignment: AssignmentDriver) -> tuple[str, str, bool]:
    """The override's event, its actor, and whether its comment was recorded."""
    done = [one for one in await assignment.transitions() if one.actor == "staff/olga"][-1]
    return done.event, done.actor, "Nobody answers" in done.comment


async def test_a_deadline_is_moved(harness: Harness) -> None:
    assignment = await harness.selected_creator()
    _, deadline = await assignment.clock()
    await assignment.override("MOVE_CLOCK", deadline + 20 * DAY)
    assert await _last(assignment) == ("CLOCK_MOVED", "staff/olga", True)
    await assignment.pass_until(deadline + DAY)
    assert await assignment.state() == "IN_PROGRESS"
    await assignment.pass_until(deadline + 20 * DAY)
    await assignment.until("EXPIRED")


async def test_work_is_approved_in_the_brands_stead(harness: Harness) -> None:
    assignment = await harness.selected_creator()
    await assignment.submit()
    await assignment.pass_time(DAY)
    await assignment.override("APPROVE")
    resource = await assignment.until("COMPLETED")
    assert resource.confirmed_by == resource.CONFIRMED_BY_OPERATOR
    assert await _last(assignment) == ("WORK_APPROVED", "staff/olga", True)


async def test_rework_goes_back_to_review(harness: Harness) -> None:
    assignment = await harness.selected_creator()
    await assignment.submit()
    await assignment.ask()
    with refused(Reason.ILLEGAL_STATE):
        await assignment.override("EXPIRE")
    await assignment.pass_time(DAY)
    await assignment.override("RETURN_TO_REVIEW")
    assert await assignment.state() == "IN_REVIEW"
    await assignment.pass_time(5 * DAY)
    await assignment.until("COMPLETED")


async def test_what_is_given_up_expires_is_reopened_and_closed_for_good(harness: Harness) -> None:
    assignment = await harness.selected_creator()
    await assignment.pass_time(DAY)
    await assignment.override("EXPIRE")
    await assignment.until("EXPIRED")
    await assignment.pass_time(20 * DAY)
    deadline = await assignment.now() + 5 * DAY
    await assignment.override("REOPEN", deadline)
    assert await assignment.clock() == ("SUBMISSION", deadline)
    await assignment.pass_until(deadline)
    await assignment.until("EXPIRED")
    await assignment.override("CLOSE")
    assert await _last(assignment) == ("CLOSED", "staff/olga", True)
    await assignment.until_payout("RELEASED")
    with refused(Reason.ILLEGAL_STATE):
        await assignment.override("REOPEN", deadline + 30 * DAY)


@pytest.mark.parametrize("state", ["IN_PROGRESS", "IN_REVIEW", "CHANGES_REQUESTED"])
async def test_what_leads_nowhere_is_cancelled(harness: Harness, state: str) -> None:
    assignment = await harness.selected_creator()
    if state != "IN_PROGRESS":
        await assignment.submit()
    if state == "CHANGES_REQUESTED":
        await assignment.ask()
    assert await assignment.state() == state
    await assignment.override("CANCEL")
    await assignment.until("CANCELLED")
    await assignment.until_payout("RELEASED")


async def test_a_product_that_is_never_shipped_ends_in_a_cancellation(harness: Harness) -> None:
    assignment = await harness.selected_creator(reward=PRODUCT)
    await assignment.submit()
    await assignment.approve()
    await assignment.pass_time(30 * DAY)
    await assignment.override("CANCEL")
    await assignment.until("CANCELLED")


async def test_a_payout_that_waits_is_sent_now(harness: Harness) -> None:
    assignment = await harness.selected_creator(paypal="FAILED_LATE")
    await assignment.submit()
    await assignment.approve()
    await assignment.saw("PAYOUT_FAILED")
    await assignment.correct_paypal_account()
    await assignment.override("RETRY_REWARD")
    await assignment.until("COMPLETED")
    assert await assignment.payout() == "PAID"


async def test_a_reward_counts_as_received_and_disputes_are_over(harness: Harness) -> None:
    assignment = await harness.selected_creator(reward=PRODUCT)
    await assignment.submit()
    await assignment.approve()
    await assignment.ship()
    await assignment.until("REWARDED")
    await assignment.pass_time(7 * DAY)
    await assignment.override("COMPLETE")
    await assignment.until("COMPLETED")
    await assignment.pass_time(DAY + MINUTE)
    await assignment.override("CLOSE")
    await assignment.saw("CLOSED")
    await assignment.until_over()
    with refused(Reason.DISPUTE_NOT_ALLOWED):
        await assignment.dispute(assignment.brand, "FRAUD")
