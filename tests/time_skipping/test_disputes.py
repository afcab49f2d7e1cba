"""Disputes: what they hold, how long they may take, and what comes of them."""

from datetime import timedelta
from typing import Any

import pytest
from liaison.payouts.v1 import payouts_pb2
from liaison.tasks.v1 import tasks_pb2

from servicekit.errors import Reason
from servicekit.money import Money
from servicekit.timestamps import from_timestamp, to_timestamp
from tests.support.serving import refused
from tests.time_skipping.dispute import DisputeLife
from tests.time_skipping.life import Life
from tests.time_skipping.moments import DAY, HOUR, MINUTE
from tests.time_skipping.stage import Stage

pytestmark = pytest.mark.xdist_group("months")


async def test_a_dispute_holds_the_creators_clock_and_what_was_left_runs_on(stage: Stage) -> None:
    life = await stage.selected_creator(submission=10 * DAY)
    _, deadline = await life.clock()
    await life.pass_time(3 * DAY)
    dispute = await life.dispute(life.creator.caller, "MATERIALS_NOT_PROVIDED")
    opened = await life.time_of("DISPUTE_OPENED")
    assert abs(await life.time_left() - (deadline - opened)) < MINUTE
    await life.pass_time(20 * DAY)
    assert await life.state() == "IN_PROGRESS"
    with refused(Reason.ILLEGAL_STATE):
        await life.submit()
    await dispute.withdraw()
    await life.saw("DISPUTE_WITHDRAWN")
    withdrawn = await life.time_of("DISPUTE_WITHDRAWN")
    assert await life.clock() == ("SUBMISSION", deadline + (withdrawn - opened))
    await life.pass_until(deadline + (withdrawn - opened), -MINUTE)
    assert await life.state() == "IN_PROGRESS"
    await life.pass_until(deadline + (withdrawn - opened))
    await life.until("EXPIRED")


async def test_a_dispute_holds_the_review_and_its_reminders(stage: Stage) -> None:
    life = await stage.selected_creator()
    await life.submit()
    submitted = await life.time_of("WORK_SUBMITTED")
    await life.pass_until(submitted + 48 * HOUR)
    dispute = await life.dispute(life.brand, "FRAUD")
    opened = await life.time_of("DISPUTE_OPENED")
    await life.pass_time(12 * DAY)
    assert (await life.events()).count("REVIEW_REMINDED") == 1
    await dispute.claim_and_decide("DISMISS")
    await life.saw("DISPUTE_RESOLVED")
    pause = await life.time_of("DISPUTE_RESOLVED") - opened
    await life.pass_until(submitted + pause + 96 * HOUR)
    await life.saw("REVIEW_REMINDED", 2)
    await life.pass_until(submitted + pause + 5 * DAY, -MINUTE)
    assert await life.state() == "IN_REVIEW"
    await life.pass_until(submitted + pause + 5 * DAY)
    await life.saw("WORK_APPROVED")


@pytest.mark.rule("R52")
async def test_mediators_have_a_month_are_reminded_and_no_timer_ever_decides(
    stage: Stage,
) -> None:
    life = await stage.selected_creator()
    dispute = await life.dispute(life.creator.caller, "MATERIALS_NOT_PROVIDED")
    opened = await life.time_of("DISPUTE_OPENED")
    due = from_timestamp((await dispute.read()).resolution_due_time)
    month = due - opened
    assert timedelta(days=28) <= month <= timedelta(days=31)
    await life.pass_until(opened + 5 * DAY)
    await dispute.saw("DISPUTE_ANSWER_DUE")
    for count, share in ((1, 0.5), (2, 0.8)):
        await life.pass_until(opened + share * month, -MINUTE)
        assert (await dispute.told_mediators()).count("DISPUTE_REMINDED") == count - 1
        await life.pass_until(opened + share * month)
        await dispute.saw("DISPUTE_REMINDED", count)
    await life.pass_until(due, -MINUTE)
    assert not (await dispute.read()).is_overdue
    await life.pass_until(due)
    await dispute.saw("DISPUTE_OVERDUE")
    assert "DISPUTE_OVERDUE" in await dispute.told_operators()
    await life.pass_time(90 * DAY)
    assert await dispute.state() == "OPEN"
    assert (await dispute.read()).is_overdue
    assert await life.state() == "IN_PROGRESS"
    await dispute.claim_and_decide("DISMISS")
    await life.saw("DISPUTE_RESOLVED")
    await life.submit()


@pytest.mark.parametrize(
    ("outcome", "state"),
    [
        ("PAY_IN_FULL", "COMPLETED"),
        ("PAY_PARTIAL", "COMPLETED"),
        ("REDO", "CHANGES_REQUESTED"),
        ("CANCEL_WITHOUT_PAY", "CANCELLED"),
        ("DISMISS", "IN_REVIEW"),
    ],
)
async def test_what_a_mediator_decides_after_weeks_is_done(
    stage: Stage, outcome: str, state: str
) -> None:
    life = await stage.selected_creator(submission=30 * DAY)
    for _ in range(2):
        await life.submit()
        await life.ask()
    await life.submit()
    dispute = await life.dispute(life.brand, "WORK_DOES_NOT_CONFORM")
    await life.pass_time(20 * DAY)
    values: dict[str, Any] = {}
    deadline = await life.now() + 7 * DAY
    if outcome == "PAY_PARTIAL":
        values["amount"] = Money("USD", 40_00).to_message()
    if outcome == "REDO":
        values["deadline_time"] = to_timestamp(deadline)
    await dispute.claim_and_decide(outcome, **values)
    await life.saw("DISPUTE_RESOLVED")
    await life.until(state)
    if outcome == "REDO":
        await life.pass_until(deadline)
        await life.until("IN_REVIEW")


async def test_a_change_request_that_is_not_fair_is_taken_to_a_mediator(stage: Stage) -> None:
    life = await stage.selected_creator()
    await life.submit()
    await life.ask()
    dispute = await life.dispute(life.creator.caller, "UNFAIR_CHANGE_REQUEST")
    await life.pass_time(15 * DAY)
    assert await life.state() == "CHANGES_REQUESTED"
    await dispute.claim_and_decide("PAY_IN_FULL")
    assignment = await life.until("COMPLETED")
    assert assignment.confirmed_by == assignment.CONFIRMED_BY_MEDIATOR


async def test_a_brands_dispute_holds_a_payout_that_is_not_sent_yet(stage: Stage) -> None:
    life = await stage.selected_creator(funding=tasks_pb2.FUNDING_ON_APPROVAL, funds_minor=0)
    await life.submit()
    await life.approve()
    await life.until("APPROVED")
    dispute = await life.dispute(life.brand, "FRAUD")
    await stage.deposit(life.brand, (await life.read()).brand, 1_000_00)
    await life.pass_time(5 * DAY + MINUTE)
    await life.saw("REWARD_OVERDUE")  # the reward's clock is not held
    assert await life.payout() == "RESERVED"
    await dispute.withdraw()
    await life.until("COMPLETED")
    assert await life.payout() == "PAID"


async def _held(stage: Stage) -> tuple[Life, DisputeLife]:
    """Approved work whose reward did not get through, and which its brand disputes."""
    life = await stage.selected_creator(paypal="DENIED")
    await life.submit()
    await life.approve()
    await life.saw("PAYOUT_FAILED")
    dispute = await life.dispute(life.brand, "FRAUD")
    await life.correct_paypal_account()
    await life.pass_time(3 * DAY)
    return life, dispute


async def test_a_mediator_lowers_a_reward_that_is_not_sent_yet(stage: Stage) -> None:
    life, dispute = await _held(stage)
    await dispute.claim_and_decide("PAY_PARTIAL", amount=Money("USD", 40_00).to_message())
    await life.until("COMPLETED")
    payout = await life.read_payout()
    assert (await life.payout(), Money.from_message(payout.amount).amount_minor) == ("PAID", 40_00)


async def test_a_mediator_takes_a_reward_back_that_is_not_sent_yet(stage: Stage) -> None:
    life, dispute = await _held(stage)
    await dispute.claim_and_decide("CANCEL_WITHOUT_PAY")
    await life.until("CANCELLED")
    await life.until_payout("RELEASED")
    await life.until_over()
    balance = await life.brand.payouts.GetBalance(
        payouts_pb2.GetBalanceRequest(name=(await life.read()).brand, currency_code="USD")
    )
    assert Money.from_message(balance.available).amount_minor == 1_000_00


async def test_a_decision_over_a_reward_that_was_sent_before_comes_too_late(stage: Stage) -> None:
    life = await stage.selected_creator(paypal="ONHOLD")
    await life.submit()
    await life.approve()
    await life.until_payout("SENT")
    dispute = await life.dispute(life.brand, "FRAUD")
    await dispute.claim_and_decide("CANCEL_WITHOUT_PAY")
    await life.saw("DECISION_OVERTAKEN")
    assert "DECISION_OVERTAKEN" in await life.told(life.creator.caller)
    assert "DECISION_OVERTAKEN" in await life.told(life.brand)
    await life.pass_time(MINUTE)
    await life.until("REWARDED")
    assert await life.payout() == "SENT"
