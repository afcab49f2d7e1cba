"""Failure matrix of payouts, rows in which money is not claimed, fails late or comes back."""

import pytest
from liaison.payouts.v1 import payouts_pb2 as pb

from servicekit.errors import Reason
from tests.integration.payouts.harness import Harness
from tests.integration.payouts.sandbox_admin import change_item
from tests.integration.payouts.scripted_paypal import (
    CREATED,
    Answer,
    Answering,
    shown_batch,
)
from tests.integration.payouts.sending.assertions import RELEASE, attempt_of
from tests.support.serving import refused


@pytest.mark.rule("R30", part="payouts")
async def test_row_11_an_unclaimed_payment_is_cancelled_and_paid_to_a_corrected_receiver(
    harness: Harness,
) -> None:
    await _unclaimed(harness)
    assert await harness.funds() == (89_800, 10_200)
    with refused(Reason.ILLEGAL_STATE):
        await harness.worker.ReleaseReward(RELEASE)
    recalled = await harness.recall("p1")
    assert recalled.state == pb.Payout.STATE_FAILED
    assert recalled.attempts[0].state == pb.Attempt.STATE_RETURNED
    assert await harness.funds() == (89_800, 10_200)
    with refused(Reason.PAYOUT_NOT_CLAIMED):
        await harness.send("p1", attempt=2)
    await harness.name_account("anna", "anna@example.com")
    await harness.send("p1", attempt=2)
    paid = await harness.until("p1", pb.Payout.STATE_PAID)
    assert paid.attempts[1].provider_transaction_id
    assert harness.receivers() == ["unclaimed@example.com", "anna@example.com"]
    assert (await harness.balances())["provider/paypal"] == 10_000


async def test_row_12_a_payment_claimed_before_its_recall_is_paid(
    harness: Harness, answering: Answering
) -> None:
    """PayPal refuses the cancellation, and shows the payment as successful."""
    await _scripted_unclaimed(
        harness,
        answering,
        (400, {"name": "ITEM_INCORRECT_STATUS"}),
        (200, shown_batch(state="SUCCESS", status="SUCCESS")),
    )
    recalled = await harness.recall("p1")
    assert recalled.state == pb.Payout.STATE_PAID
    assert (await harness.balances())["provider/paypal"] == 10_000
    assert await harness.recall("p1") == recalled


@pytest.mark.parametrize("lost", [None, (500, b"")])
async def test_row_13_a_recall_whose_response_is_lost_returns_money_once(
    harness: Harness, answering: Answering, lost: Answer | None
) -> None:
    """A refresh shows whether PayPal cancelled it: not at first, then it did."""
    await _scripted_unclaimed(
        harness,
        answering,
        lost,
        (200, shown_batch(state="SUCCESS", status="UNCLAIMED")),
        lost,
        (200, shown_batch(state="SUCCESS", status="RETURNED")),
    )
    with refused(Reason.OUTCOME_UNKNOWN):
        await harness.recall_once("p1")
    assert (await harness.get("p1")).state == pb.Payout.STATE_UNCLAIMED
    for _ in range(2):
        recalled = await harness.recall_once("p1")
        assert recalled.state == "FAILED"
        assert await harness.funds() == (89_800, 10_200)
    assert (await attempt_of(harness)).state == pb.Attempt.STATE_RETURNED
    await harness.balances()


async def _unclaimed(harness: Harness) -> None:
    await harness.due("p1", "unclaimed@example.com")
    await harness.send("p1")
    await harness.until("p1", pb.Payout.STATE_UNCLAIMED)


async def _scripted_unclaimed(harness: Harness, answering: Answering, *then: Answer | None) -> None:
    """An unclaimed payment at a PayPal with these responses afterwards."""
    accepted = {"batch_header": CREATED["batch_header"] | {"payout_batch_id": "FIRST"}}
    shown = shown_batch(state="SUCCESS", status="UNCLAIMED")
    send = await answering((201, accepted), (200, shown), *then)
    await send()
    assert (await harness.refresh("p1")).state == pb.Payout.STATE_UNCLAIMED


@pytest.mark.rule("R29", part="payouts")
async def test_row_15_a_late_failure_is_followed_by_a_second_attempt(harness: Harness) -> None:
    await harness.due("p1", "failed-late@example.com")
    await harness.behave("failed-late@example.com", "FAILED_LATE", 0.1)
    await harness.send("p1")
    failed = await harness.until("p1", pb.Payout.STATE_FAILED)
    assert failed.attempts[0].error_code == "RECEIVER_ACCOUNT_LOCKED"
    assert await harness.funds() == (89_800, 10_200)
    with refused(Reason.INVALID_FIELDS, "attempt"):
        await harness.send("p1", attempt=3)
    assert await harness.send("p1", attempt=1) == failed
    await harness.behave("failed-late@example.com", "SUCCESS")
    await harness.send("p1", attempt=2)
    paid = await harness.until("p1", pb.Payout.STATE_PAID)
    assert [attempt.state for attempt in paid.attempts] == [
        pb.Attempt.STATE_FAILED,
        pb.Attempt.STATE_PAID,
    ]
    assert (await harness.balances())["provider/paypal"] == 10_000


async def test_row_15_a_denied_batch_is_released_once(harness: Harness) -> None:
    await harness.due("p1", "denied@example.com")
    await harness.send("p1")
    await harness.until("p1", pb.Payout.STATE_FAILED)
    await harness.worker.ReleaseReward(RELEASE)
    assert await harness.funds() == (100_000, 0)
    with refused(Reason.ILLEGAL_STATE):
        await harness.send("p1", attempt=2)


async def test_row_16_a_returned_unclaimed_payment_can_be_paid_again(harness: Harness) -> None:
    await harness.due("p1", "unclaimed@example.com")
    await harness.send("p1")
    await harness.until("p1", pb.Payout.STATE_UNCLAIMED)
    await change_item(harness, "p1", "RETURNED")
    returned = await harness.until("p1", pb.Payout.STATE_FAILED)
    assert returned.attempts[0].state == pb.Attempt.STATE_RETURNED
    assert await harness.funds() == (89_800, 10_200)
    await harness.behave("unclaimed@example.com", "SUCCESS")
    await harness.name_account("anna", "unclaimed@example.com")
    await harness.send("p1", attempt=2)
    await harness.until("p1", pb.Payout.STATE_PAID)
    assert (await harness.balances())["provider/paypal"] == 10_000


async def test_row_17_a_reversal_is_returned_once_and_not_paid_again(harness: Harness) -> None:
    await harness.due("p1", "anna@example.com")
    await harness.send("p1")
    await harness.until("p1", pb.Payout.STATE_PAID)
    await change_item(harness, "p1", "REVERSED")
    reversed_payout = await harness.until("p1", pb.Payout.STATE_FAILED)
    assert reversed_payout.attempts[0].state == pb.Attempt.STATE_RETURNED
    assert await harness.refresh("p1") == reversed_payout
    assert await harness.funds() == (89_800, 10_000)
    with refused(Reason.ILLEGAL_STATE):
        await harness.send("p1", attempt=2)
    await harness.worker.ReleaseReward(RELEASE)
    assert await harness.funds() == (99_800, 0)
    balances = await harness.balances()
    assert (balances["provider/paypal"], balances["fees/paypal"]) == (0, 200)


async def test_row_17_a_refund_is_returned_once_and_not_paid_again(
    harness: Harness, answering: Answering
) -> None:
    accepted = {"batch_header": CREATED["batch_header"] | {"payout_batch_id": "FIRST"}}
    shown = [shown_batch(state="SUCCESS", status=status) for status in ("SUCCESS", "REFUNDED")]
    send = await answering((201, accepted), *((200, batch) for batch in shown))
    await send()
    assert (await harness.refresh("p1")).state == pb.Payout.STATE_PAID
    for _ in range(2):
        assert (await harness.refresh("p1")).state == pb.Payout.STATE_FAILED
        assert (await harness.balances())["provider/paypal"] == 0
        assert (await harness.funds())[1] == 10_000
    with refused(Reason.ILLEGAL_STATE):
        await harness.send("p1", attempt=2)
