"""Payouts that do not succeed at once: late, unclaimed, blocked or written off.

The sandbox plays PayPal, and its books say where the money went.
"""

from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict
from liaison.payouts.v1 import payouts_pb2 as pb

from cli.demo.actors import new_request_id
from servicekit.errors import Reason
from servicekit.money import Money
from tests.support.serving import refused
from tests.time_skipping.assignment_driver import AssignmentDriver
from tests.time_skipping.harness import PRODUCT, Harness
from tests.time_skipping.timing import DAY, HOUR, MINUTE, eventually

pytestmark = pytest.mark.xdist_group("time_skipping")


async def _approved(harness: Harness, paypal: str = "") -> AssignmentDriver:
    assignment = await harness.selected_creator(paypal=paypal)
    await assignment.submit()
    await assignment.approve()
    return assignment


def _payments(harness: Harness, assignment: AssignmentDriver) -> list[tuple[str, str]]:
    """Receiver and state of the sandbox's payments for the assignment, oldest first."""
    return [(one.receiver, one.status) for one in harness.paypal_payments(assignment)]


@pytest.mark.rule("R29", part="payouts")
async def test_money_that_does_not_get_through_is_late_after_five_days_and_tried_until_it_does(
    harness: Harness,
) -> None:
    assignment = await _approved(harness, "DENIED")
    approved = await assignment.time_of("WORK_APPROVED")
    await assignment.saw("PAYOUT_FAILED")
    for day in range(2, 6):
        await assignment.pass_time(DAY)
        await assignment.saw("PAYOUT_FAILED", day)
    assert not (await assignment.read()).reward_is_overdue
    await assignment.pass_until(approved + 5 * DAY)
    await assignment.saw("REWARD_OVERDUE")
    assert (await assignment.time_of("REWARD_OVERDUE")) - approved - 5 * DAY < MINUTE
    await assignment.until_notified(assignment.creator.caller, "REWARD_OVERDUE")
    await assignment.until_notified(assignment.brand, "REWARD_OVERDUE")
    assert "REWARD_OVERDUE" in await assignment.operator_events()
    await assignment.saw("PAYOUT_FAILED", 6)
    assert (await assignment.read()).reward_is_overdue
    await assignment.correct_paypal_account()
    await assignment.pass_time(DAY)
    await assignment.until("COMPLETED")
    assert await assignment.attempts() == [*["FAILED"] * 6, "PAID"]


@pytest.mark.rule("R30", part="payouts")
async def test_what_nobody_claims_reaches_the_account_that_the_creator_names_instead(
    harness: Harness,
) -> None:
    assignment = await _approved(harness, "UNCLAIMED")
    await assignment.pass_time(MINUTE)
    await assignment.saw("REWARD_UNCLAIMED")
    assert await assignment.state() == "REWARDED"
    assert await assignment.payout() == "UNCLAIMED"
    await assignment.until_notified(assignment.creator.caller, "REWARD_UNCLAIMED")
    named = assignment.creator.paypal_receiver
    assert _payments(harness, assignment) == [(named, "UNCLAIMED")]
    await assignment.correct_paypal_account()
    await assignment.pass_time(5 * DAY)
    await assignment.until("COMPLETED")
    assert await assignment.attempts() == ["RETURNED", "PAID"]
    assert _payments(harness, assignment) == [
        (named, "RETURNED"),
        (f"corrected-{named}", "SUCCESS"),
    ]
    assert "PAYOUT_FAILED" not in await assignment.events()


async def test_what_nobody_claims_waits_for_another_account_and_nags_once(harness: Harness) -> None:
    assignment = await _approved(harness, "UNCLAIMED")
    await assignment.pass_time(MINUTE)
    await assignment.saw("REWARD_UNCLAIMED")
    await assignment.pass_time(5 * DAY)
    await assignment.saw("PAYOUT_FAILED")
    await assignment.until("APPROVED")
    await assignment.pass_time(2 * DAY + HOUR)
    assert await assignment.attempts() == ["RETURNED"]
    await assignment.correct_paypal_account()
    await assignment.pass_time(DAY)
    await assignment.until("COMPLETED")
    assert (await assignment.events()).count("PAYOUT_FAILED") == 1


@pytest.mark.rule("R31", part="payouts")
async def test_a_product_is_a_reward_without_any_payout(harness: Harness) -> None:
    assignment = await harness.selected_creator(reward=PRODUCT)
    agreed = await assignment.now() + 3 * DAY
    await assignment.accept(
        assignment.creator.caller, await assignment.propose_early_shipment(agreed)
    )
    await assignment.ship()
    await assignment.acknowledge()
    await assignment.submit()
    await assignment.approve()
    resource = await assignment.until("COMPLETED")
    assert resource.payout == ""
    with refused(Reason.NOT_YOURS):  # also the answer for what does not exist
        await assignment.read_payout()
    owner = assignment.creator.caller.payouts
    assert not (await owner.ListPayouts(pb.ListPayoutsRequest())).payouts
    balance = await assignment.brand.payouts.GetBalance(
        pb.GetBalanceRequest(name=resource.brand, currency_code="USD")
    )
    assert MessageToDict(balance)["available"]["units"] == "1000"
    assert balance.reserved.units == balance.reserved.nanos == 0
    assert _payments(harness, assignment) == []


@pytest.mark.rule("R51", part="payouts")
async def test_the_creators_dispute_over_a_late_reward_does_not_hold_it_up(
    harness: Harness,
) -> None:
    assignment = await _approved(harness, "DENIED")
    await assignment.saw("PAYOUT_FAILED")
    with refused(Reason.DISPUTE_NOT_ALLOWED):
        await assignment.dispute(assignment.creator.caller, "LATE_REWARD")
    await assignment.pass_time(5 * DAY + HOUR)
    await assignment.saw("REWARD_OVERDUE")
    dispute = await assignment.dispute(assignment.creator.caller, "LATE_REWARD")
    before = len(await assignment.attempts())
    await assignment.pass_time(DAY)
    await eventually(
        assignment.attempts, lambda seen: len(seen) > before, "an attempt in the dispute"
    )
    await assignment.correct_paypal_account()
    await assignment.pass_time(DAY)
    await assignment.until("COMPLETED")
    assert await assignment.payout() == "PAID"
    assert await dispute.state() == "OPEN"


@pytest.mark.rule("R53", part="payouts")
async def test_money_that_is_sent_completes_the_assignment_within_a_month_by_itself(
    harness: Harness,
) -> None:
    assignment = await _approved(harness, "ONHOLD")
    await assignment.pass_time(MINUTE)
    await assignment.until("REWARDED")
    sent = await assignment.time_of("REWARD_SENT")
    kind, due = await assignment.clock()
    assert kind == "COMPLETION"
    await assignment.pass_until(due, -MINUTE)
    assert await assignment.state() == "REWARDED"
    await assignment.pass_until(due)
    await assignment.until("COMPLETED")
    assert 28 * DAY <= await assignment.time_of("COMPLETED") - sent < 31 * DAY + MINUTE
    assert await assignment.payout() == "SENT"
    # The blocked payment was escalated to operators, and stays reserved for the creator.
    assert (await assignment.operator_events()).count("PAYOUT_ESCALATED") == 1
    assert _payments(harness, assignment) == [(assignment.creator.paypal_receiver, "ONHOLD")]


@pytest.mark.rule("R53", part="payouts")
async def test_money_that_has_arrived_completes_the_assignment_at_once(harness: Harness) -> None:
    assignment = await _approved(harness)
    await assignment.until("COMPLETED")
    assert await assignment.payout() == "PAID"
    assert await assignment.time_of("COMPLETED") - await assignment.time_of("REWARD_SENT") < MINUTE
    assert [one.actor for one in await assignment.transitions()][-1] == "system"


async def test_what_paypal_blocks_waits_for_an_operator_who_sends_it_elsewhere(
    harness: Harness,
) -> None:
    assignment = await _approved(harness, "BLOCKED")
    await assignment.pass_time(MINUTE)
    await assignment.saw("PAYOUT_ESCALATED")
    assert "PAYOUT_ESCALATED" in await assignment.operator_events()
    await assignment.pass_time(10 * DAY)
    assert (await assignment.events()).count("PAYOUT_ESCALATED") == 1
    assert await assignment.payout() == "BLOCKED"
    assert await assignment.attempts() == ["BLOCKED"]
    await _resolve_as_not_paid(harness, assignment)
    assert await assignment.payout() == "FAILED"
    await _retry(harness, assignment, receiver="elsewhere@example.com")
    await assignment.until("COMPLETED")
    assert await assignment.attempts() == ["FAILED", "PAID"]
    assert _payments(harness, assignment) == [
        (assignment.creator.paypal_receiver, "BLOCKED"),
        ("elsewhere@example.com", "SUCCESS"),
    ]
    assert await assignment.brand_funds() == (898_00, 0)
    assert await _ledger_sum(harness) == 0


async def test_a_creator_whom_paypal_does_not_pay_is_paid_by_bank_transfer(
    harness: Harness,
) -> None:
    assignment = await _approved(harness, "DENIED")
    await assignment.saw("PAYOUT_FAILED")
    await _retry(
        harness,
        assignment,
        provider=pb.PROVIDER_BANK_TRANSFER,
        receiver="ES91 2100 0418 4502 0005 1332",
    )
    await assignment.until_payout("SENT")
    await assignment.pass_time(2 * DAY)
    assert await assignment.attempts() == ["FAILED", "ACCEPTED"]
    await harness.staff("operator", "olga").payouts.ConfirmBankTransfer(
        pb.ConfirmBankTransferRequest(
            name=f"payouts/{assignment.id}",
            attempt=2,
            external_reference=new_request_id(),
            fee=Money("USD", 1_50).to_message(),
            request_id=new_request_id(),
        )
    )
    await assignment.until("COMPLETED")
    assert await assignment.attempts() == ["FAILED", "PAID"]
    assert _payments(harness, assignment) == [(assignment.creator.paypal_receiver, "FAILED")]
    assert await assignment.brand_funds() == (898_50, 0)
    assert await _ledger_sum(harness) == 0


async def _resolve_as_not_paid(harness: Harness, assignment: AssignmentDriver) -> None:
    await harness.staff("operator", "olga").payouts.ResolveAttempt(
        pb.ResolveAttemptRequest(
            name=f"payouts/{assignment.id}",
            attempt=1,
            outcome=pb.ResolveAttemptRequest.OUTCOME_NOT_PAID,
            reason="PayPal says that it will not pay it",
            request_id=new_request_id(),
        )
    )


async def _retry(harness: Harness, assignment: AssignmentDriver, **elsewhere: Any) -> None:
    await harness.staff("operator", "olga").payouts.RetryPayout(
        pb.RetryPayoutRequest(
            name=f"payouts/{assignment.id}",
            reason="The creator asks for it",
            request_id=new_request_id(),
            **elsewhere,
        )
    )


async def _ledger_sum(harness: Harness) -> int:
    """Of all accounts in USD."""
    operator = harness.staff("operator", "olga")
    answer = await operator.payouts.GetTrialBalance(pb.GetTrialBalanceRequest())
    return sum(Money.from_message(each.balance).amount_minor for each in answer.accounts)


async def test_a_reward_that_is_written_off_ends_the_assignment(harness: Harness) -> None:
    assignment = await _approved(harness, "DENIED")
    await assignment.saw("PAYOUT_FAILED")
    operator = harness.staff("operator", "olga")
    await operator.payouts.WriteOffPayout(
        pb.WriteOffPayoutRequest(
            name=f"payouts/{assignment.id}",
            reason="The creator has left for good",
            beneficiary=pb.WriteOffPayoutRequest.BENEFICIARY_BRAND,
            request_id=new_request_id(),
        )
    )
    await assignment.saw("REWARD_WRITTEN_OFF")
    await assignment.until("CANCELLED")
    await assignment.until_over()
    assert await assignment.payout() == "WRITTEN_OFF"
    assert "REWARD_WRITTEN_OFF" in await assignment.notified_events(assignment.creator.caller)
    assert "REWARD_WRITTEN_OFF" in await assignment.notified_events(assignment.brand)
