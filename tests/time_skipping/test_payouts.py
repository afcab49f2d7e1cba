"""Money that does not get through at once: late, unclaimed, blocked or given up; and where it goes.

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
from tests.time_skipping.life import Life
from tests.time_skipping.moments import DAY, HOUR, MINUTE, eventually
from tests.time_skipping.stage import PRODUCT, Stage

pytestmark = pytest.mark.xdist_group("months")


async def _approved(stage: Stage, paypal: str = "") -> Life:
    life = await stage.selected_creator(paypal=paypal)
    await life.submit()
    await life.approve()
    return life


def _payments(stage: Stage, life: Life) -> list[tuple[str, str]]:
    """Receiver and state of what the sandbox was ordered to pay for it, oldest first."""
    return [(one.receiver, one.status) for one in stage.paypal_payments(life)]


@pytest.mark.rule("R29", part="payouts")
async def test_money_that_does_not_get_through_is_late_after_five_days_and_tried_until_it_does(
    stage: Stage,
) -> None:
    life = await _approved(stage, "DENIED")
    approved = await life.time_of("WORK_APPROVED")
    await life.saw("PAYOUT_FAILED")
    for day in range(2, 6):
        await life.pass_time(DAY)
        await life.saw("PAYOUT_FAILED", day)
    assert not (await life.read()).reward_is_overdue
    await life.pass_until(approved + 5 * DAY)
    await life.saw("REWARD_OVERDUE")
    assert (await life.time_of("REWARD_OVERDUE")) - approved - 5 * DAY < MINUTE
    await life.until_told(life.creator.caller, "REWARD_OVERDUE")
    await life.until_told(life.brand, "REWARD_OVERDUE")
    assert "REWARD_OVERDUE" in await life.told_operators()
    await life.saw("PAYOUT_FAILED", 6)
    assert (await life.read()).reward_is_overdue
    await life.correct_paypal_account()
    await life.pass_time(DAY)
    await life.until("COMPLETED")
    assert await life.attempts() == [*["FAILED"] * 6, "PAID"]


@pytest.mark.rule("R30", part="payouts")
async def test_what_nobody_claims_reaches_the_account_that_the_creator_names_instead(
    stage: Stage,
) -> None:
    life = await _approved(stage, "UNCLAIMED")
    await life.pass_time(MINUTE)
    await life.saw("REWARD_UNCLAIMED")
    assert await life.state() == "REWARDED"
    assert await life.payout() == "UNCLAIMED"
    await life.until_told(life.creator.caller, "REWARD_UNCLAIMED")
    named = life.creator.paypal_receiver
    assert _payments(stage, life) == [(named, "UNCLAIMED")]
    await life.correct_paypal_account()
    await life.pass_time(5 * DAY)
    await life.until("COMPLETED")
    assert await life.attempts() == ["RETURNED", "PAID"]
    assert _payments(stage, life) == [(named, "RETURNED"), (f"corrected-{named}", "SUCCESS")]
    assert "PAYOUT_FAILED" not in await life.events()


async def test_what_nobody_claims_waits_for_another_account_and_nags_once(stage: Stage) -> None:
    life = await _approved(stage, "UNCLAIMED")
    await life.pass_time(MINUTE)
    await life.saw("REWARD_UNCLAIMED")
    await life.pass_time(5 * DAY)
    await life.saw("PAYOUT_FAILED")
    await life.until("APPROVED")
    await life.pass_time(2 * DAY + HOUR)
    assert await life.attempts() == ["RETURNED"]
    await life.correct_paypal_account()
    await life.pass_time(DAY)
    await life.until("COMPLETED")
    assert (await life.events()).count("PAYOUT_FAILED") == 1


@pytest.mark.rule("R31", part="payouts")
async def test_a_product_is_a_reward_without_any_payout(stage: Stage) -> None:
    life = await stage.selected_creator(reward=PRODUCT)
    agreed = await life.now() + 3 * DAY
    await life.accept(life.creator.caller, await life.propose_early_shipment(agreed))
    await life.ship()
    await life.acknowledge()
    await life.submit()
    await life.approve()
    assignment = await life.until("COMPLETED")
    assert assignment.payout == ""
    with refused(Reason.NOT_YOURS):  # which is also said of what is not there
        await life.read_payout()
    owner = life.creator.caller.payouts
    assert not (await owner.ListPayouts(pb.ListPayoutsRequest())).payouts
    balance = await life.brand.payouts.GetBalance(
        pb.GetBalanceRequest(name=assignment.brand, currency_code="USD")
    )
    assert MessageToDict(balance)["available"]["units"] == "1000"
    assert balance.reserved.units == balance.reserved.nanos == 0
    assert _payments(stage, life) == []


@pytest.mark.rule("R51", part="payouts")
async def test_the_creators_dispute_over_a_late_reward_does_not_hold_it_up(stage: Stage) -> None:
    life = await _approved(stage, "DENIED")
    await life.saw("PAYOUT_FAILED")
    with refused(Reason.DISPUTE_NOT_ALLOWED):
        await life.dispute(life.creator.caller, "LATE_REWARD")
    await life.pass_time(5 * DAY + HOUR)
    await life.saw("REWARD_OVERDUE")
    dispute = await life.dispute(life.creator.caller, "LATE_REWARD")
    before = len(await life.attempts())
    await life.pass_time(DAY)
    await eventually(life.attempts, lambda seen: len(seen) > before, "an attempt in the dispute")
    await life.correct_paypal_account()
    await life.pass_time(DAY)
    await life.until("COMPLETED")
    assert await life.payout() == "PAID"
    assert await dispute.state() == "OPEN"


@pytest.mark.rule("R53", part="payouts")
async def test_money_that_is_sent_completes_the_assignment_within_a_month_by_itself(
    stage: Stage,
) -> None:
    life = await _approved(stage, "ONHOLD")
    await life.pass_time(MINUTE)
    await life.until("REWARDED")
    sent = await life.time_of("REWARD_SENT")
    kind, due = await life.clock()
    assert kind == "COMPLETION"
    await life.pass_until(due, -MINUTE)
    assert await life.state() == "REWARDED"
    await life.pass_until(due)
    await life.until("COMPLETED")
    assert 28 * DAY <= await life.time_of("COMPLETED") - sent < 31 * DAY + MINUTE
    assert await life.payout() == "SENT"
    # What the provider sits on was brought before operators, and stays reserved for the creator.
    assert (await life.told_operators()).count("PAYOUT_ESCALATED") == 1
    assert _payments(stage, life) == [(life.creator.paypal_receiver, "ONHOLD")]


@pytest.mark.rule("R53", part="payouts")
async def test_money_that_has_arrived_completes_the_assignment_at_once(stage: Stage) -> None:
    life = await _approved(stage)
    await life.until("COMPLETED")
    assert await life.payout() == "PAID"
    assert await life.time_of("COMPLETED") - await life.time_of("REWARD_SENT") < MINUTE
    assert [one.actor for one in await life.transitions()][-1] == "system"


async def test_what_paypal_blocks_waits_for_an_operator_who_sends_it_elsewhere(
    stage: Stage,
) -> None:
    life = await _approved(stage, "BLOCKED")
    await life.pass_time(MINUTE)
    await life.saw("PAYOUT_ESCALATED")
    assert "PAYOUT_ESCALATED" in await life.told_operators()
    await life.pass_time(10 * DAY)
    assert (await life.events()).count("PAYOUT_ESCALATED") == 1
    assert await life.payout() == "BLOCKED"
    assert await life.attempts() == ["BLOCKED"]
    await _resolve_as_not_paid(stage, life)
    assert await life.payout() == "FAILED"
    await _retry(stage, life, receiver="elsewhere@example.com")
    await life.until("COMPLETED")
    assert await life.attempts() == ["FAILED", "PAID"]
    assert _payments(stage, life) == [
        (life.creator.paypal_receiver, "BLOCKED"),
        ("elsewhere@example.com", "SUCCESS"),
    ]
    assert await life.brand_funds() == (898_00, 0)
    assert await _ledger_sum(stage) == 0


async def test_a_creator_whom_paypal_does_not_pay_is_paid_by_bank_transfer(stage: Stage) -> None:
    life = await _approved(stage, "DENIED")
    await life.saw("PAYOUT_FAILED")
    await _retry(
        stage, life, provider=pb.PROVIDER_BANK_TRANSFER, receiver="ES91 2100 0418 4502 0005 1332"
    )
    await life.until_payout("SENT")
    await life.pass_time(2 * DAY)
    assert await life.attempts() == ["FAILED", "ACCEPTED"]
    await stage.staff("operator", "olga").payouts.ConfirmBankTransfer(
        pb.ConfirmBankTransferRequest(
            name=f"payouts/{life.id}",
            attempt=2,
            external_reference=new_request_id(),
            fee=Money("USD", 1_50).to_message(),
            request_id=new_request_id(),
        )
    )
    await life.until("COMPLETED")
    assert await life.attempts() == ["FAILED", "PAID"]
    assert _payments(stage, life) == [(life.creator.paypal_receiver, "FAILED")]
    assert await life.brand_funds() == (898_50, 0)
    assert await _ledger_sum(stage) == 0


async def _resolve_as_not_paid(stage: Stage, life: Life) -> None:
    await stage.staff("operator", "olga").payouts.ResolveAttempt(
        pb.ResolveAttemptRequest(
            name=f"payouts/{life.id}",
            attempt=1,
            outcome=pb.ResolveAttemptRequest.OUTCOME_NOT_PAID,
            reason="PayPal says that it will not pay it",
            request_id=new_request_id(),
        )
    )


async def _retry(stage: Stage, life: Life, **elsewhere: Any) -> None:
    await stage.staff("operator", "olga").payouts.RetryPayout(
        pb.RetryPayoutRequest(
            name=f"payouts/{life.id}",
            reason="The creator asks for it",
            request_id=new_request_id(),
            **elsewhere,
        )
    )


async def _ledger_sum(stage: Stage) -> int:
    """Of all accounts in USD."""
    operator = stage.staff("operator", "olga")
    answer = await operator.payouts.GetTrialBalance(pb.GetTrialBalanceRequest())
    return sum(Money.from_message(each.balance).amount_minor for each in answer.accounts)


async def test_a_reward_that_is_written_off_ends_the_assignment(stage: Stage) -> None:
    life = await _approved(stage, "DENIED")
    await life.saw("PAYOUT_FAILED")
    operator = stage.staff("operator", "olga")
    await operator.payouts.WriteOffPayout(
        pb.WriteOffPayoutRequest(
            name=f"payouts/{life.id}",
            reason="The creator has left for good",
            beneficiary=pb.WriteOffPayoutRequest.BENEFICIARY_BRAND,
            request_id=new_request_id(),
        )
    )
    await life.saw("REWARD_WRITTEN_OFF")
    await life.until("CANCELLED")
    await life.until_over()
    assert await life.payout() == "WRITTEN_OFF"
    assert "REWARD_WRITTEN_OFF" in await life.told(life.creator.caller)
    assert "REWARD_WRITTEN_OFF" in await life.told(life.brand)
