"""HoldPayout and ResumePayout: nothing is sent for a held payout."""

import asyncio

from liaison.payouts.v1 import payouts_pb2 as pb

from servicekit.errors import Reason
from services.payouts.providers.paypal.client import http_client
from services.payouts.providers.registry import providers_of
from services.payouts.sending.sender import SendPayout
from tests.integration.payouts.harness import Harness, paypal_settings
from tests.integration.payouts.operator_calls import NAME, hold, resume, retry
from tests.integration.payouts.process_control import TOKEN_PATH, Held, gate_to
from tests.support.serving import refused

KIND = pb.Decision


async def test_a_held_payout_is_not_sent_until_it_is_resumed(harness: Harness) -> None:
    await harness.due("p1", "anna@example.com")
    held = await hold(harness)
    assert (held.is_held, held.state) == (True, pb.Payout.STATE_RESERVED)
    assert (await hold(harness)) == held
    with refused(Reason.PAYOUT_ON_HOLD):
        await harness.send("p1")
    with refused(Reason.PAYOUT_ON_HOLD):
        await retry(harness)
    assert (await harness.get("p1")).attempts == []
    resumed = await resume(harness)
    assert await resume(harness) == resumed
    assert [one.kind for one in resumed.decisions] == [KIND.KIND_HOLD, KIND.KIND_RESUME]
    await harness.send("p1")
    await harness.until("p1", pb.Payout.STATE_PAID)
    with refused(Reason.ILLEGAL_STATE):
        await hold(harness)


async def test_an_unknown_attempt_is_not_sent_again_while_held(harness: Harness) -> None:
    harness.lose_webhooks()
    await harness.due("p1", "drop-response@example.com")
    with refused(Reason.OUTCOME_UNKNOWN):
        await harness.send_once("p1")
    await hold(harness)
    with refused(Reason.PAYOUT_ON_HOLD):
        await harness.send_once("p1")
    await resume(harness)
    await harness.send("p1")
    await harness.until("p1", pb.Payout.STATE_PAID)
    assert len(harness.batches()) == 1


async def test_a_hold_stops_a_sender_that_has_not_posted_yet(harness: Harness) -> None:
    """The sender holds the attempt's lease, and fetches its token."""
    await harness.due("p1", "anna@example.com")
    async with gate_to(harness, TOKEN_PATH, Held.REQUEST) as (gate, url), http_client() as http:
        providers = providers_of(paypal_settings(url), http, harness.database)
        sender = harness.payments_with(providers=providers)
        command = SendPayout.model_validate({"name": NAME, "attempt": 1})
        sending = asyncio.create_task(sender.send_payout(command))
        await gate.reached.wait()
        assert (await hold(harness)).is_held
        gate.opened.set()
        with refused(Reason.PAYOUT_ON_HOLD):
            await sending
    assert harness.batches() == []
    await resume(harness)
    await harness.send_once("p1")
    await harness.until("p1", pb.Payout.STATE_PAID)


async def test_a_payment_in_progress_goes_on_while_held(harness: Harness) -> None:
    harness.lose_webhooks()
    await harness.due("p1", "anna@example.com")
    await harness.send("p1")
    await hold(harness)
    paid = await harness.until("p1", pb.Payout.STATE_PAID)
    assert paid.is_held
    assert await harness.send("p1") == paid
