"""Rewards: sent, overdue, and a month after they were sent."""

from datetime import datetime

import pytest
from liaison.tasks.v1 import tasks_pb2

from servicekit.errors import Reason
from tests.support.serving import refused
from tests.time_skipping.harness import PRODUCT, Harness
from tests.time_skipping.timing import DAY, HOUR, MINUTE, utc

pytestmark = pytest.mark.xdist_group("time_skipping")


@pytest.mark.rule("R29", "R51")
async def test_a_reward_that_is_not_sent_in_five_days_is_late_and_may_be_disputed(
    harness: Harness,
) -> None:
    assignment = await harness.selected_creator(
        funding=tasks_pb2.FUNDING_ON_APPROVAL, funds_minor=0
    )
    await assignment.submit()
    await assignment.approve()
    approved = await assignment.time_of("WORK_APPROVED")
    assert await assignment.clock() == ("REWARD", approved + 5 * DAY)
    with refused(Reason.DISPUTE_NOT_ALLOWED):
        await assignment.dispute(assignment.creator.caller, "LATE_REWARD")
    await assignment.pass_until(approved + 5 * DAY, -MINUTE)
    assert not (await assignment.read()).reward_is_overdue
    await assignment.pass_until(approved + 5 * DAY)
    await assignment.saw("REWARD_OVERDUE")
    assert (await assignment.read()).reward_is_overdue
    assert "REWARD_OVERDUE" in await assignment.notified_events(assignment.creator.caller)
    assert "REWARD_OVERDUE" in await assignment.notified_events(assignment.brand)
    assert "REWARD_OVERDUE" in await assignment.operator_events()
    dispute = await assignment.dispute(assignment.creator.caller, "LATE_REWARD")
    # It holds nothing up: the payout goes on waiting for the brand's funds only.
    await harness.deposit(assignment.brand, (await assignment.read()).brand, 1_000_00)
    await assignment.pass_time(HOUR)
    await assignment.until_payout("PAID")
    await assignment.until("COMPLETED")
    assert await dispute.state() == "OPEN"
    await dispute.claim_and_decide("DISMISS")
    await assignment.saw("DISPUTE_RESOLVED")


async def test_a_payout_that_failed_is_tried_again_every_day(harness: Harness) -> None:
    assignment = await harness.selected_creator(paypal="DENIED")
    await assignment.submit()
    await assignment.approve()
    await assignment.saw("PAYOUT_FAILED")
    await assignment.pass_time(DAY)
    await assignment.saw("PAYOUT_FAILED", 2)
    assert "PAYOUT_FAILED" in await assignment.notified_events(assignment.creator.caller)
    assert "PAYOUT_FAILED" in await assignment.operator_events()
    await assignment.correct_paypal_account()
    await assignment.pass_time(DAY + HOUR)
    await assignment.until("COMPLETED")
    assert await assignment.payout() == "PAID"


async def test_a_mediator_has_a_failed_payout_sent_at_once(harness: Harness) -> None:
    assignment = await harness.selected_creator(paypal="DENIED")
    await assignment.submit()
    await assignment.approve()
    await assignment.saw("PAYOUT_FAILED")
    dispute = await assignment.dispute(assignment.brand, "FRAUD")
    await assignment.correct_paypal_account()
    await assignment.pass_time(3 * DAY)
    assert await assignment.payout() == "FAILED"
    await dispute.claim_and_decide("PAY_IN_FULL")
    await assignment.until("COMPLETED")
    assert await assignment.payout() == "PAID"


@pytest.mark.rule("R53")
@pytest.mark.parametrize(
    ("sent", "completed"),
    [
        (utc(2027, 1, 31), utc(2027, 2, 28)),
        (utc(2028, 1, 31), utc(2028, 2, 29)),
        (utc(2028, 2, 29), utc(2028, 3, 29)),
        (utc(2027, 12, 31), utc(2028, 1, 31)),
    ],
    ids=["31-january", "31-january-of-a-leap-year", "29-february", "new-years-eve"],
)
async def test_a_reward_sent_completes_the_assignment_after_one_calendar_month(
    harness: Harness, sent: datetime, completed: datetime
) -> None:
    await harness.pass_until(sent)
    assignment = await harness.selected_creator(reward=PRODUCT)
    await assignment.submit()
    await assignment.approve()
    await assignment.ship()
    await assignment.until("REWARDED")
    moment = await assignment.time_of("REWARD_SENT")
    assert moment.date() == sent.date()
    due = completed + (moment - sent)
    assert await assignment.clock() == ("COMPLETION", due)
    await assignment.pass_until(due, -MINUTE)
    assert await assignment.state() == "REWARDED"
    await assignment.pass_until(due)
    await assignment.until("COMPLETED")
    assert await assignment.time_of("COMPLETED") - due < MINUTE
    assert [one.actor for one in await assignment.transitions()][-1] == "system"


async def test_an_operator_may_complete_what_nobody_has_claimed_yet(harness: Harness) -> None:
    await harness.pass_until(utc(2027, 1, 31))
    assignment = await harness.selected_creator(paypal="UNCLAIMED")
    await assignment.submit()
    await assignment.approve()
    await assignment.pass_time(MINUTE)
    await assignment.until("REWARDED")
    sent = await assignment.time_of("REWARD_SENT")
    assert await assignment.clock() == ("COMPLETION", sent.replace(month=2, day=28))
    await assignment.pass_time(DAY)
    await assignment.override("COMPLETE")
    await assignment.until("COMPLETED")
    assert await assignment.payout() == "UNCLAIMED"


async def test_money_that_comes_back_is_due_again(harness: Harness) -> None:
    assignment = await harness.selected_creator(paypal="RETURNED")
    await assignment.submit()
    await assignment.approve()
    await assignment.saw("PAYOUT_FAILED")
    await assignment.until("APPROVED")
    assert (await assignment.clock())[0] == "REWARD"
    await assignment.correct_paypal_account()
    await assignment.override("RETRY_REWARD")
    await assignment.until("COMPLETED")


async def test_the_window_for_disputes_closes_a_month_after_completion(harness: Harness) -> None:
    assignment = await harness.selected_creator()
    await assignment.submit()
    await assignment.approve()
    await assignment.until("COMPLETED")
    kind, due = await assignment.clock()
    assert kind == "DISPUTE_WINDOW"
    await assignment.pass_until(due)
    await assignment.saw("CLOSED")
    await assignment.until_over()
    with refused(Reason.DISPUTE_NOT_ALLOWED):
        await assignment.dispute(assignment.brand, "FRAUD")
