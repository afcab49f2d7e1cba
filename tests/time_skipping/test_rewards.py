"""Rewards: on their way, late, and a month after they were sent."""

from datetime import datetime

import pytest
from liaison.tasks.v1 import tasks_pb2

from servicekit.errors import Reason
from tests.support.serving import refused
from tests.time_skipping.moments import DAY, HOUR, MINUTE, utc
from tests.time_skipping.stage import PRODUCT, Stage

pytestmark = pytest.mark.xdist_group("months")


@pytest.mark.rule("R29", "R51")
async def test_a_reward_that_is_not_sent_in_five_days_is_late_and_may_be_disputed(
    stage: Stage,
) -> None:
    life = await stage.selected_creator(funding=tasks_pb2.FUNDING_ON_APPROVAL, funds_minor=0)
    await life.submit()
    await life.approve()
    approved = await life.time_of("WORK_APPROVED")
    assert await life.clock() == ("REWARD", approved + 5 * DAY)
    with refused(Reason.DISPUTE_NOT_ALLOWED):
        await life.dispute(life.creator.caller, "LATE_REWARD")
    await life.pass_until(approved + 5 * DAY, -MINUTE)
    assert not (await life.read()).reward_is_overdue
    await life.pass_until(approved + 5 * DAY)
    await life.saw("REWARD_OVERDUE")
    assert (await life.read()).reward_is_overdue
    assert "REWARD_OVERDUE" in await life.told(life.creator.caller)
    assert "REWARD_OVERDUE" in await life.told(life.brand)
    assert "REWARD_OVERDUE" in await life.told_operators()
    dispute = await life.dispute(life.creator.caller, "LATE_REWARD")
    # It holds nothing up: the payout goes on waiting for the brand's funds only.
    await stage.deposit(life.brand, (await life.read()).brand, 1_000_00)
    await life.pass_time(HOUR)
    await life.until_payout("PAID")
    await life.until("COMPLETED")
    assert await dispute.state() == "OPEN"
    await dispute.claim_and_decide("DISMISS")
    await life.saw("DISPUTE_RESOLVED")


async def test_a_payout_that_failed_is_tried_again_every_day(stage: Stage) -> None:
    life = await stage.selected_creator(paypal="DENIED")
    await life.submit()
    await life.approve()
    await life.saw("PAYOUT_FAILED")
    await life.pass_time(DAY)
    await life.saw("PAYOUT_FAILED", 2)
    assert "PAYOUT_FAILED" in await life.told(life.creator.caller)
    assert "PAYOUT_FAILED" in await life.told_operators()
    await life.correct_paypal_account()
    await life.pass_time(DAY + HOUR)
    await life.until("COMPLETED")
    assert await life.payout() == "PAID"


async def test_a_mediator_has_a_failed_payout_sent_at_once(stage: Stage) -> None:
    life = await stage.selected_creator(paypal="DENIED")
    await life.submit()
    await life.approve()
    await life.saw("PAYOUT_FAILED")
    dispute = await life.dispute(life.brand, "FRAUD")
    await life.correct_paypal_account()
    await life.pass_time(3 * DAY)
    assert await life.payout() == "FAILED"
    await dispute.claim_and_decide("PAY_IN_FULL")
    await life.until("COMPLETED")
    assert await life.payout() == "PAID"


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
    stage: Stage, sent: datetime, completed: datetime
) -> None:
    await stage.pass_until(sent)
    life = await stage.selected_creator(reward=PRODUCT)
    await life.submit()
    await life.approve()
    await life.ship()
    await life.until("REWARDED")
    moment = await life.time_of("REWARD_SENT")
    assert moment.date() == sent.date()
    due = completed + (moment - sent)
    assert await life.clock() == ("COMPLETION", due)
    await life.pass_until(due, -MINUTE)
    assert await life.state() == "REWARDED"
    await life.pass_until(due)
    await life.until("COMPLETED")
    assert await life.time_of("COMPLETED") - due < MINUTE
    assert [one.actor for one in await life.transitions()][-1] == "system"


async def test_an_operator_may_complete_what_nobody_has_claimed_yet(stage: Stage) -> None:
    await stage.pass_until(utc(2027, 1, 31))
    life = await stage.selected_creator(paypal="UNCLAIMED")
    await life.submit()
    await life.approve()
    await life.pass_time(MINUTE)
    await life.until("REWARDED")
    sent = await life.time_of("REWARD_SENT")
    assert await life.clock() == ("COMPLETION", sent.replace(month=2, day=28))
    await life.pass_time(DAY)
    await life.override("COMPLETE")
    await life.until("COMPLETED")
    assert await life.payout() == "UNCLAIMED"


async def test_money_that_comes_back_is_due_again(stage: Stage) -> None:
    life = await stage.selected_creator(paypal="RETURNED")
    await life.submit()
    await life.approve()
    await life.saw("PAYOUT_FAILED")
    await life.until("APPROVED")
    assert (await life.clock())[0] == "REWARD"
    await life.correct_paypal_account()
    await life.override("RETRY_REWARD")
    await life.until("COMPLETED")


async def test_the_window_for_disputes_closes_a_month_after_completion(stage: Stage) -> None:
    life = await stage.selected_creator()
    await life.submit()
    await life.approve()
    await life.until("COMPLETED")
    kind, due = await life.clock()
    assert kind == "DISPUTE_WINDOW"
    await life.pass_until(due)
    await life.saw("CLOSED")
    await life.until_over()
    with refused(Reason.DISPUTE_NOT_ALLOWED):
        await life.dispute(life.brand, "FRAUD")
