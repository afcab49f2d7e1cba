"""Failure matrix of payouts, row 19: a sender that stalls beyond its lease does not post."""

import asyncio
from dataclasses import replace

import pytest
from liaison.payouts.v1 import payouts_pb2 as pb

from servicekit.errors import Reason
from servicekit.postgres.database import Database
from services.payouts.attempts import LEASE, Attempt
from services.payouts.domain import Payout
from services.payouts.providers.paypal import client as paypal
from services.payouts.providers.paypal.client import http_client
from services.payouts.providers.registry import providers_of
from services.payouts.store import PayoutStore
from tests.integration.payouts.harness import Harness, paypal_settings, utc_now
from tests.integration.payouts.process_control import (
    PAYOUTS_PATH,
    TOKEN_PATH,
    Held,
    gate_to,
)
from tests.integration.payouts.sending.assertions import (
    attempt_of,
    ends_paid_once,
    first_attempt,
)
from tests.support.serving import refused


class StallingPayouts(PayoutStore):
    """Stalls its sender, which holds a lease, before it checks that it still does."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.stalled = asyncio.Event()
        self.goes_on = asyncio.Event()

    async def get_attempt(self, payout_id: str, number: int) -> Attempt | None:
        self.stalled.set()
        await self.goes_on.wait()
        return await super().get_attempt(payout_id, number)


async def test_row_19_a_stalled_sender_does_not_post_what_was_denied_meanwhile(
    harness: Harness,
) -> None:
    """The store stalls the sender, since no process can be stopped there for as long as a lease.
    The sender's clock stands still, so that only the fence can stop it."""
    await harness.due("p1", "anna@example.com")
    payouts = StallingPayouts(harness.database)
    begin = utc_now()
    sender = harness.payments_with(
        stores=replace(harness.stores, payouts=payouts), clock=lambda: begin
    )
    sending = asyncio.create_task(sender.send_payout(first_attempt()))
    await payouts.stalled.wait()
    await _deny_and_pay_again(harness)
    payouts.goes_on.set()
    await _has_not_posted(harness, sending)


async def test_row_19_a_sender_that_stalls_before_its_token_does_not_post(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fence is checked after the token and the rate limit. Only the fence can stop the sender:
    it may wait for its token for as long as this test takes."""
    monkeypatch.setattr(paypal, "_READY_SECONDS", 60)
    await harness.due("p1", "anna@example.com")
    begin = utc_now()
    async with gate_to(harness, TOKEN_PATH, Held.REQUEST) as (gate, url), http_client() as http:
        providers = providers_of(paypal_settings(url), http, harness.database)
        sender = harness.payments_with(providers=providers, clock=lambda: begin)
        sending = asyncio.create_task(sender.send_payout(first_attempt()))
        await gate.reached.wait()
        await _deny_and_pay_again(harness)
        gate.opened.set()
        await _has_not_posted(harness, sending)


async def test_row_19_a_sender_whose_attempt_another_sender_holds_does_not_post(
    harness: Harness,
) -> None:
    """The attempt is UNKNOWN and its lease has not expired, as if it were the stalled sender's own:
    only their fences differ."""
    await harness.due("p1", "anna@example.com")
    payouts = StallingPayouts(harness.database)
    begin = utc_now()
    stalled = harness.payments_with(
        stores=replace(harness.stores, payouts=payouts), clock=lambda: begin
    )
    async with gate_to(harness, PAYOUTS_PATH, Held.REQUEST) as (gate, url), http_client() as http:
        providers = providers_of(paypal_settings(url), http, harness.database)
        next_one = harness.payments_with(providers=providers, clock=lambda: begin + LEASE)
        stalling = asyncio.create_task(stalled.send_payout(first_attempt()))
        await payouts.stalled.wait()
        sending = asyncio.create_task(next_one.send_payout(first_attempt()))
        await gate.reached.wait()
        assert (await attempt_of(harness)).state == pb.Attempt.STATE_UNKNOWN
        payouts.goes_on.set()
        with refused(Reason.DEPENDENCY_UNAVAILABLE) as caught:
            await stalling
        assert "taken over" in str(caught.value)
        assert harness.batches() == []
        gate.opened.set()
        await sending
    await ends_paid_once(harness)


async def _deny_and_pay_again(harness: Harness) -> None:
    await harness.behave("anna@example.com", "DENIED")
    await harness.send_once("p1", later=LEASE)
    await harness.until("p1", pb.Payout.STATE_FAILED)
    await harness.behave("anna@example.com", "ONHOLD")
    await harness.send("p1", attempt=2)


async def _has_not_posted(harness: Harness, sending: "asyncio.Task[Payout]") -> None:
    with refused(Reason.DEPENDENCY_UNAVAILABLE) as caught:
        await sending
    assert "taken over" in str(caught.value)
    assert [batch for batch, _ in harness.batches()] == ["po-p1-1", "po-p1-2"]
    assert (await attempt_of(harness)).state == pb.Attempt.STATE_FAILED
