"""Sending payouts through the real server and the sandbox."""

import asyncio

import pytest
from liaison.payouts.v1 import payouts_pb2 as pb

from servicekit.errors import Reason
from tests.integration.payouts.harness import Harness, eventually, usd
from tests.support.serving import refused


@pytest.mark.rule("R30", part="payouts")
async def test_a_payout_is_paid_with_its_fee_and_settled_once(harness: Harness) -> None:
    harness.lose_webhooks()
    await harness.due("p1", "anna@example.com")
    sent = await harness.send("p1")
    assert sent.state == pb.Payout.STATE_SENT
    paid = await harness.until("p1", pb.Payout.STATE_PAID)
    assert paid.fee == usd(200)
    (attempt,) = paid.attempts
    assert attempt.state == pb.Attempt.STATE_PAID
    assert attempt.provider_state == "SUCCESS"
    assert attempt.provider_batch_id
    assert attempt.provider_item_id
    balances = await harness.balances()
    for _ in range(2):
        assert await harness.send("p1") == paid
        assert await harness.refresh("p1") == paid
    assert await harness.balances() == balances
    assert balances == {
        "brands/acme/available": 89_800,
        "brands/acme/reserved": 0,
        "fees/paypal": 200,
        "provider/paypal": 10_000,
        "world/deposits": -100_000,
    }
    with refused(Reason.ILLEGAL_STATE):
        await harness.worker.ReleaseReward(pb.ReleaseRewardRequest(name="payouts/p1"))
    with refused(Reason.ILLEGAL_STATE):
        await harness.send("p1", attempt=2)


@pytest.mark.parametrize(
    ("behaviour", "state", "attempt_state"),
    [
        ("BLOCKED", pb.Payout.STATE_BLOCKED, pb.Attempt.STATE_BLOCKED),
        ("ONHOLD", pb.Payout.STATE_SENT, pb.Attempt.STATE_ACCEPTED),
    ],
)
async def test_a_payment_that_needs_a_decision_keeps_its_reservation(
    harness: Harness,
    behaviour: str,
    state: pb.Payout.State.ValueType,
    attempt_state: pb.Attempt.State.ValueType,
) -> None:
    await harness.due("p1", "anna@example.com")
    await harness.behave("anna@example.com", behaviour)
    await harness.send("p1")

    async def is_reached() -> bool:
        return (await harness.refresh("p1")).attempts[0].provider_state == behaviour

    await eventually(is_reached)
    payout = await harness.get("p1")
    assert (payout.state, payout.attempts[0].state) == (state, attempt_state)
    assert await harness.funds() == (89_800, 10_200)


async def test_concurrent_refreshes_settle_once(harness: Harness) -> None:
    await harness.due("p1", "anna@example.com")
    await harness.send("p1")
    while (await harness.get("p1")).state != pb.Payout.STATE_PAID:
        await asyncio.gather(*(harness.refresh("p1") for _ in range(5)))
    assert (await harness.balances())["provider/paypal"] == 10_000


@pytest.mark.rule("R30", part="payouts")
async def test_a_creator_without_an_account_is_not_sent_anything(harness: Harness) -> None:
    await harness.due("p1", "")
    with refused(Reason.PAYOUT_ACCOUNT_MISSING):
        await harness.send("p1")
    payout = await harness.get("p1")
    assert (payout.state, len(payout.attempts)) == (pb.Payout.STATE_RESERVED, 0)
    with refused(Reason.NOT_FOUND):
        await harness.send("absent")
