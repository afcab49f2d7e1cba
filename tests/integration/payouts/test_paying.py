"""Paying through the real server and the sandbox: whatever breaks, a creator is paid once."""

import asyncio

import httpx
import pytest
from liaison.payouts.v1 import payouts_pb2 as pb

from servicekit.errors import LiaisonError, Reason
from tests.integration.payouts.house import House, eventually, usd
from tests.support.serving import refused


@pytest.mark.rule("R30", part="payouts")
async def test_a_payout_is_paid_with_its_fee_and_settled_once(house: House) -> None:
    await house.due("p1", "anna@example.com")
    sent = await house.send("p1")
    assert sent.state == pb.Payout.STATE_SENT
    paid = await house.until("p1", pb.Payout.STATE_PAID)
    assert paid.fee == usd(200)
    (attempt,) = paid.attempts
    assert attempt.state == pb.Attempt.STATE_PAID
    assert attempt.provider_state == "SUCCESS"
    assert attempt.provider_batch_id
    assert attempt.provider_item_id
    balances = await house.balances()
    for _ in range(2):
        assert await house.send("p1") == paid
        assert await house.refresh("p1") == paid
    assert await house.balances() == balances
    assert balances == {
        "brands/acme/available": 89_800,
        "brands/acme/reserved": 0,
        "fees/paypal": 200,
        "provider/paypal": 10_000,
        "world/deposits": -100_000,
    }
    with refused(Reason.ILLEGAL_STATE):
        await house.worker.ReleaseReward(pb.ReleaseRewardRequest(name="payouts/p1"))
    with refused(Reason.ILLEGAL_STATE):
        await house.send("p1", attempt=2)


@pytest.mark.parametrize("receiver", ["drop-answer@example.com", "error-500-after-accept@e.com"])
async def test_a_lost_answer_is_unknown_and_the_repeat_adopts(house: House, receiver: str) -> None:
    house.lose_webhooks()
    await house.due("p1", receiver)
    with refused(Reason.OUTCOME_UNKNOWN):
        await house.send_once("p1")
    unknown = await house.refresh("p1")
    assert unknown.state == pb.Payout.STATE_SENDING
    assert unknown.attempts[0].state == pb.Attempt.STATE_UNKNOWN
    assert (await house.funds())[1] == 10_200
    with refused(Reason.ILLEGAL_STATE):
        await house.worker.ReleaseReward(pb.ReleaseRewardRequest(name="payouts/p1"))
    with refused(Reason.ILLEGAL_STATE):
        await house.send("p1", attempt=2)
    adopted = await house.send("p1")
    assert adopted.attempts[0].provider_batch_id
    await house.until("p1", pb.Payout.STATE_PAID)
    assert [batch for batch, _ in house.batches()] == ["po-p1-1"]
    await house.balances()


@pytest.mark.rule("R29", part="payouts")
async def test_a_late_failure_keeps_the_hold_and_a_second_attempt_pays(house: House) -> None:
    await house.due("p1", "failed-late@example.com")
    await _behave(house, "failed-late@example.com", "FAILED_LATE")
    await house.send("p1")
    failed = await house.until("p1", pb.Payout.STATE_FAILED)
    assert failed.attempts[0].error_code == "RECEIVER_ACCOUNT_LOCKED"
    assert await house.funds() == (89_800, 10_200)
    with refused(Reason.INVALID_FIELDS, "attempt"):
        await house.send("p1", attempt=3)
    assert await house.send("p1", attempt=1) == failed
    await _behave(house, "failed-late@example.com", "SUCCESS")
    await house.send("p1", attempt=2)
    paid = await house.until("p1", pb.Payout.STATE_PAID)
    assert [attempt.state for attempt in paid.attempts] == [
        pb.Attempt.STATE_FAILED,
        pb.Attempt.STATE_PAID,
    ]
    assert (await house.balances())["provider/paypal"] == 10_000


async def test_a_denied_batch_fails_and_can_be_released(house: House) -> None:
    await house.due("p1", "denied@example.com")
    await house.send("p1")
    await house.until("p1", pb.Payout.STATE_FAILED)
    await house.worker.ReleaseReward(pb.ReleaseRewardRequest(name="payouts/p1"))
    assert await house.funds() == (100_000, 0)
    with refused(Reason.ILLEGAL_STATE):
        await house.send("p1", attempt=2)


async def test_short_provider_funds_keep_the_hold_and_the_id(house: House) -> None:
    await house.due("p1", "anna@example.com")
    await _behave(house, "anna@example.com", "INSUFFICIENT_FUNDS")
    with refused(Reason.DEPENDENCY_UNAVAILABLE):
        await house.send_once("p1")
    waiting = await house.get("p1")
    assert waiting.state == pb.Payout.STATE_SENDING
    assert waiting.attempts[0].state == pb.Attempt.STATE_SENDING
    assert waiting.attempts[0].error_code == "INSUFFICIENT_FUNDS"
    assert await house.funds() == (89_800, 10_200)
    await _behave(house, "anna@example.com", "SUCCESS")
    await house.send("p1")
    await house.until("p1", pb.Payout.STATE_PAID)
    assert [batch for batch, _ in house.batches()] == ["po-p1-1"]


async def test_a_refusal_after_a_lost_answer_proves_nothing(house: House) -> None:
    """The sandbox checks funds before it looks whether the batch is known, as PayPal does."""
    house.lose_webhooks()
    await house.due("p1", "drop-answer@example.com")
    with refused(Reason.OUTCOME_UNKNOWN):
        await house.send_once("p1")
    await _behave(house, "drop-answer@example.com", "INSUFFICIENT_FUNDS")
    with refused(Reason.DEPENDENCY_UNAVAILABLE):
        await house.send_once("p1")
    assert (await house.get("p1")).attempts[0].state == pb.Attempt.STATE_UNKNOWN
    await _behave(house, "drop-answer@example.com", "SUCCESS")
    await house.send("p1")
    await house.until("p1", pb.Payout.STATE_PAID)
    assert (await house.balances())["provider/paypal"] == 10_000


async def test_what_comes_back_unclaimed_is_payable_again(house: House) -> None:
    await house.due("p1", "unclaimed@example.com")
    await _behave(house, "unclaimed@example.com", "UNCLAIMED", delay_seconds=0.3)
    await house.send("p1")
    returned = await house.until("p1", pb.Payout.STATE_FAILED)
    assert returned.attempts[0].state == pb.Attempt.STATE_RETURNED
    assert await house.funds() == (89_800, 10_200)
    await _behave(house, "unclaimed@example.com", "SUCCESS")
    await house.send("p1", attempt=2)
    await house.until("p1", pb.Payout.STATE_PAID)
    assert (await house.balances())["provider/paypal"] == 10_000


async def test_a_reversal_comes_back_once_and_is_not_paid_again(house: House) -> None:
    await house.due("p1", "anna@example.com")
    await _behave(house, "anna@example.com", "REVERSED_LATE", delay_seconds=0.5)
    await house.send("p1")
    await house.until("p1", pb.Payout.STATE_PAID)
    reversed_payout = await house.until("p1", pb.Payout.STATE_FAILED)
    assert reversed_payout.attempts[0].state == pb.Attempt.STATE_RETURNED
    assert await house.refresh("p1") == reversed_payout
    assert await house.funds() == (89_800, 10_000)
    with refused(Reason.ILLEGAL_STATE):
        await house.send("p1", attempt=2)
    await house.worker.ReleaseReward(pb.ReleaseRewardRequest(name="payouts/p1"))
    assert await house.funds() == (99_800, 0)
    balances = await house.balances()
    assert (balances["provider/paypal"], balances["fees/paypal"]) == (0, 200)


@pytest.mark.parametrize(
    ("behaviour", "state"),
    [("BLOCKED", pb.Attempt.STATE_BLOCKED), ("ONHOLD", pb.Attempt.STATE_ACCEPTED)],
)
async def test_what_a_person_must_decide_keeps_the_hold(
    house: House, behaviour: str, state: pb.Attempt.State.ValueType
) -> None:
    await house.due("p1", "anna@example.com")
    await _behave(house, "anna@example.com", behaviour)
    await house.send("p1")

    async def has_come() -> bool:
        return (await house.refresh("p1")).attempts[0].provider_state == behaviour

    await eventually(has_come)
    payout = await house.get("p1")
    assert (payout.state, payout.attempts[0].state) == (pb.Payout.STATE_SENT, state)
    assert await house.funds() == (89_800, 10_200)


async def test_senders_at_once_make_one_payment(house: House) -> None:
    await house.due("p1", "anna@example.com")
    answers = await asyncio.gather(*(house.send("p1") for _ in range(6)), return_exceptions=True)
    for answer in answers:
        if isinstance(answer, BaseException):
            assert isinstance(answer, LiaisonError)
            assert answer.is_retryable
    await house.send("p1")
    await house.until("p1", pb.Payout.STATE_PAID)
    assert [batch for batch, _ in house.batches()] == ["po-p1-1"]
    assert (await house.balances())["provider/paypal"] == 10_000


async def test_looks_at_once_settle_once(house: House) -> None:
    await house.due("p1", "anna@example.com")
    await house.send("p1")
    while (await house.get("p1")).state != pb.Payout.STATE_PAID:
        await asyncio.gather(*(house.refresh("p1") for _ in range(5)))
    assert (await house.balances())["provider/paypal"] == 10_000


async def test_a_sender_that_died_leaves_a_doubt_which_the_next_one_ends(house: House) -> None:
    """Killed after it had committed that it was about to POST."""
    await house.due("p1", "anna@example.com")
    await house.database.execute(
        """
        INSERT INTO attempt (payout_id, number, state, receiver, amount_minor, sender_batch_id,
                             fence, lease_end_time, create_time, update_time)
        VALUES ('p1', 1, 'SENDING', 'anna@example.com', 10000, 'po-p1-1', 1,
                now() + interval '1 hour', now(), now())
        """
    )
    with refused(Reason.DEPENDENCY_UNAVAILABLE):
        await house.send_once("p1")
    assert house.batches() == []
    await house.database.execute("UPDATE attempt SET lease_end_time = now()")
    await house.send("p1")
    await house.until("p1", pb.Payout.STATE_PAID)
    assert len(house.batches()) == 1


async def test_a_doubt_of_weeks_is_not_sent_again(house: House) -> None:
    house.lose_webhooks()
    await house.due("p1", "drop-answer@example.com")
    with refused(Reason.OUTCOME_UNKNOWN):
        await house.send_once("p1")
    await house.database.execute("UPDATE attempt SET create_time = now() - interval '26 days'")
    stopped = await house.send("p1")
    assert stopped.attempts[0].state == pb.Attempt.STATE_BLOCKED
    assert stopped.state == pb.Payout.STATE_SENDING
    assert await house.send("p1") == stopped
    assert len(house.batches()) == 1


@pytest.mark.rule("R30", part="payouts")
async def test_a_creator_without_an_account_is_not_sent_anything(house: House) -> None:
    await house.due("p1", "")
    with refused(Reason.PAYOUT_ACCOUNT_MISSING):
        await house.send("p1")
    payout = await house.get("p1")
    assert (payout.state, len(payout.attempts)) == (pb.Payout.STATE_RESERVED, 0)
    with refused(Reason.NOT_FOUND):
        await house.send("absent")


async def _behave(
    house: House, receiver: str, behaviour: str, delay_seconds: float | None = None
) -> None:
    async with httpx.AsyncClient(trust_env=False) as http:
        answer = await http.put(
            f"{house.settings.paypal_base_url}/admin/behaviours/{receiver}",
            json={"behaviour": behaviour, "delay_seconds": delay_seconds},
        )
        answer.raise_for_status()
