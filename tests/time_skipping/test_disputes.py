"""Disputes: what they hold, their time limits, and their outcomes."""

from datetime import timedelta
from typing import Any

import pytest
from liaison.payouts.v1 import payouts_pb2
from liaison.tasks.v1 import tasks_pb2

from servicekit.errors import Reason
from servicekit.money import Money
from servicekit.timestamps import from_timestamp, to_timestamp
from tests.support.serving import refused
from tests.time_skipping.assignment_driver import AssignmentDriver
from tests.time_skipping.dispute_driver import DisputeDriver
from tests.time_skipping.harness import Harness
from tests.time_skipping.timing import DAY, HOUR, MINUTE

pytestmark = pytest.mark.xdist_group("time_skipping")


async def test_a_dispute_holds_the_creators_clock_and_what_was_left_runs_on(
    harness: Harness,
) -> None:
    assignment = await harness.selected_creator(submission=10 * DAY)
    _, deadline = await assignment.clock()
    await assignment.pass_time(3 * DAY)
    dispute = await assignment.dispute(assignment.creator.caller, "MATERIALS_NOT_PROVIDED")
    opened = await assignment.time_of("DISPUTE_OPENED")
    assert abs(await assignment.time_left() - (deadline - opened)) < MINUTE
    await assignment.pass_time(20 * DAY)
    assert await assignment.state() == "IN_PROGRESS"
    with refused(Reason.ILLEGAL_STATE):
        await assignment.submit()
    await dispute.withdraw()
    await assignment.saw("DISPUTE_WITHDRAWN")
    withdrawn = await assignment.time_of("DISPUTE_WITHDRAWN")
    assert await assignment.clock() == ("SUBMISSION", deadline + (withdrawn - opened))
    await assignment.pass_until(deadline + (withdrawn - opened), -MINUTE)
    assert await assignment.state() == "IN_PROGRESS"
    await assignment.pass_until(deadline + (withdrawn - opened))
    await assignment.until("EXPIRED")


async def test_a_dispute_holds_the_review_and_its_reminders(harness: Harness) -> None:
    assignment = await harness.selected_creator()
    await assignment.submit()
    submitted = await assignment.time_of("WORK_SUBMITTED")
    await assignment.pass_until(submitted + 48 * HOUR)
    dispute = await assignment.dispute(assignment.brand, "FRAUD")
    opened = await assignment.time_of("DISPUTE_OPENED")
    await assignment.pass_time(12 * DAY)
    assert (await assignment.events()).count("REVIEW_REMINDED") == 1
    await dispute.claim_and_decide("DISMISS")
    await assignment.saw("DISPUTE_RESOLVED")
    pause = await assignment.time_of("DISPUTE_RESOLVED") - opened
    await assignment.pass_until(submitted + pause + 96 * HOUR)
    await assignment.saw("REVIEW_REMINDED", 2)
    await assignment.pass_until(submitted + pause + 5 * DAY, -MINUTE)
    assert await assignment.state() == "IN_REVIEW"
    await assignment.pass_until(submitted + pause + 5 * DAY)
    await assignment.saw("WORK_APPROVED")


@pytest.mark.rule("R52")
async def test_mediators_have_a_month_are_reminded_and_no_timer_ever_decides(
    harness: Harness,
) -> None:
    assignment = await harness.selected_creator()
    dispute = await assignment.dispute(assignment.creator.caller, "MATERIALS_NOT_PROVIDED")
    opened = await assignment.time_of("DISPUTE_OPENED")
    due = from_timestamp((await dispute.read()).resolution_due_time)
    month = due - opened
    assert timedelta(days=28) <= month <= timedelta(days=31)
    await assignment.pass_until(opened + 5 * DAY)
    await dispute.saw("DISPUTE_ANSWER_DUE")
    for count, share in ((1, 0.5), (2, 0.8)):
        await assignment.pass_until(opened + share * month, -MINUTE)
        assert (await dispute.told_mediators()).count("DISPUTE_REMINDED") == count - 1
        await assignment.pass_until(opened + share * month)
        await dispute.saw("DISPUTE_REMINDED", count)
    await assignment.pass_until(due, -MINUTE)
    assert not (await dispute.read()).is_overdue
    await assignment.pass_until(due)
    await dispute.saw("DISPUTE_OVERDUE")
    assert "DISPUTE_OVERDUE" in await dispute.operator_events()
    await assignment.pass_time(90 * DAY)
    assert await dispute.state() == "OPEN"
    assert (await dispute.read()).is_overdue
    assert await assignment.state() == "IN_PROGRESS"
    await dispute.claim_and_decide("DISMISS")
    await assignment.saw("DISPUTE_RESOLVED")
    await assignment.submit()


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
    harness: Harness, outcome: str, state: str
) -> None:
    assignment = await harness.selected_creator(submission=30 * DAY)
    for _ in range(2):
        await assignment.submit()
        await assignment.ask()
    await assignment.submit()
    dispute = await assignment.dispute(assignment.brand, "WORK_DOES_NOT_CONFORM")
    await assignment.pass_time(20 * DAY)
    values: dict[str, Any] = {}
    deadline = await assignment.now() + 7 * DAY
    if outcome == "PAY_PARTIAL":
        values["amount"] = Money("USD", 40_00).to_message()
    if outcome == "REDO":
        values["deadline_time"] = to_timestamp(deadline)
    await dispute.claim_and_decide(outcome, **values)
    await assignment.saw("DISPUTE_RESOLVED")
    await assignment.until(state)
    if outcome == "REDO":
        await assignment.pass_until(deadline)
        await assignment.until("IN_REVIEW")


async def test_a_change_request_that_is_not_fair_is_taken_to_a_mediator(harness: Harness) -> None:
    assignment = await harness.selected_creator()
    await assignment.submit()
    await assignment.ask()
    dispute = await assignment.dispute(assignment.creator.caller, "UNFAIR_CHANGE_REQUEST")
    await assignment.pass_time(15 * DAY)
    assert await assignment.state() == "CHANGES_REQUESTED"
    await dispute.claim_and_decide("PAY_IN_FULL")
    resource = await assignment.until("COMPLETED")
    assert resource.confirmed_by == resource.CONFIRMED_BY_MEDIATOR


async def test_a_brands_dispute_holds_a_payout_that_is_not_sent_yet(harness: Harness) -> None:
    assignment = await harness.selected_creator(
        funding=tasks_pb2.FUNDING_ON_APPROVAL, funds_minor=0
    )
    await assignment.submit()
    await assignment.approve()
    await assignment.until("APPROVED")
    dispute = await assignment.dispute(assignment.brand, "FRAUD")
    await harness.deposit(assignment.brand, (await assignment.read()).brand, 1_000_00)
    await assignment.pass_time(5 * DAY + MINUTE)
    await assignment.saw("REWARD_OVERDUE")  # the reward's clock is not held
    assert await assignment.payout() == "RESERVED"
    await dispute.withdraw()
    await assignment.until("COMPLETED")
    assert await assignment.payout() == "PAID"


async def _held(harness: Harness) -> tuple[AssignmentDriver, DisputeDriver]:
    """Approved work whose payout failed, and which its brand disputes."""
    assignment = await harness.selected_creator(paypal="DENIED")
    await assignment.submit()
    await assignment.approve()
    await assignment.saw("PAYOUT_FAILED")
    dispute = await assignment.dispute(assignment.brand, "FRAUD")
    await assignment.correct_paypal_account()
    await assignment.pass_time(3 * DAY)
    return assignment, dispute


async def test_a_mediator_lowers_a_reward_that_is_not_sent_yet(harness: Harness) -> None:
    assignment, dispute = await _held(harness)
    await dispute.claim_and_decide("PAY_PARTIAL", amount=Money("USD", 40_00).to_message())
    await assignment.until("COMPLETED")
    payout = await assignment.read_payout()
    assert (await assignment.payout(), Money.from_message(payout.amount).amount_minor) == (
        "PAID",
        40_00,
    )


async def test_a_mediator_takes_a_reward_back_that_is_not_sent_yet(harness: Harness) -> None:
    assignment, dispute = await _held(harness)
    await dispute.claim_and_decide("CANCEL_WITHOUT_PAY")
    await assignment.until("CANCELLED")
    await assignment.until_payout("RELEASED")
    await assignment.until_over()
    balance = await assignment.brand.payouts.GetBalance(
        payouts_pb2.GetBalanceRequest(name=(await assignment.read()).brand, currency_code="USD")
    )
    assert Money.from_message(balance.available).amount_minor == 1_000_00


async def test_a_decision_over_a_reward_that_was_sent_before_comes_too_late(
    harness: Harness,
) -> None:
    assignment = await harness.selected_creator(paypal="ONHOLD")
    await assignment.submit()
    await assignment.approve()
    await assignment.until_payout("SENT")
    dispute = await assignment.dispute(assignment.brand, "FRAUD")
    await dispute.claim_and_decide("CANCEL_WITHOUT_PAY")
    await assignment.saw("DECISION_OVERTAKEN")
    assert "DECISION_OVERTAKEN" in await assignment.notified_events(assignment.creator.caller)
    assert "DECISION_OVERTAKEN" in await assignment.notified_events(assignment.brand)
    await assignment.pass_time(MINUTE)
    await assignment.until("REWARDED")
    assert await assignment.payout() == "SENT"
