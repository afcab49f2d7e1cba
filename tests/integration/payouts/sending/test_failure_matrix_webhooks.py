"""Failure matrix of payouts, rows about webhooks: early, repeated, out of order, forged, lost."""

import asyncio

import httpx
from liaison.payouts.v1 import payouts_pb2 as pb

from services.payouts.providers.paypal.client import http_client
from services.payouts.providers.registry import providers_of
from tests.integration.payouts.harness import Harness, paypal_settings
from tests.integration.payouts.process_control import (
    PAYOUTS_PATH,
    Held,
    gate_to,
)
from tests.integration.payouts.sending.assertions import (
    ONE_BATCH,
    ends_paid_once,
    first_attempt,
)
from tests.integration.payouts.webhook_signing import Signer, batch_event


async def test_row_10_a_webhook_before_the_response_settles_once(harness: Harness) -> None:
    """Webhooks settle the payment before the sender gets its response."""
    await harness.due("p1", "anna@example.com")
    async with gate_to(harness, PAYOUTS_PATH, Held.RESPONSE) as (gate, url), http_client() as http:
        sender = harness.payments_with(
            providers=providers_of(paypal_settings(url), http, harness.database)
        )
        sending = asyncio.create_task(sender.send_payout(first_attempt()))
        await gate.reached.wait()
        await harness.until("p1", pb.Payout.STATE_PAID)
        gate.opened.set()
        assert (await sending).state == "PAID"
    await ends_paid_once(harness)


async def test_row_10_repeated_webhooks_out_of_order_settle_once(
    harness: Harness, genuine: tuple[Signer, str], http: httpx.AsyncClient
) -> None:
    await harness.due("p1", "anna@example.com")
    await harness.send("p1")
    await harness.until_provider(ONE_BATCH)
    signer, url = genuine
    events = harness.events()
    assert len(events) > 2
    for body in reversed(events * 2):
        headers = signer.headers(body, url)
        answer = await http.post(harness.webhook_url, content=body, headers=headers)
        assert answer.status_code == 200
        assert (await harness.get("p1")).state == pb.Payout.STATE_PAID
    assert harness.workflows.changes == [("p1", "PAID")]
    await ends_paid_once(harness)


async def test_row_10_a_forged_webhook_changes_nothing(
    harness: Harness, genuine: tuple[Signer, str], http: httpx.AsyncClient
) -> None:
    await harness.due("p1", "anna@example.com")
    sent = await harness.send("p1")
    signer, url = genuine
    body = batch_event("po-p1-1")
    good = signer.headers(body, url)
    stranger = Signer()
    forged = [
        {},
        stranger.headers(body, url),
        signer.headers(body, url, webhook_id="WH-ANOTHER"),
        signer.headers(body + b" ", url),
        good | {"PAYPAL-TRANSMISSION-TIME": "2026-03-02T00:00:00Z"},
        good | {"PAYPAL-AUTH-ALGO": "none"},
        good | {"PAYPAL-TRANSMISSION-SIG": "?"},
        good | {"PAYPAL-CERT-URL": url.replace("127.0.0.1", "127.0.0.1@evil.example")},
        good | {"PAYPAL-CERT-URL": "http://evil.example/certs/CERT-1"},
        good | {"PAYPAL-CERT-URL": "file:///etc/passwd"},
    ]
    for headers in forged:
        answer = await http.post(harness.webhook_url, content=body, headers=headers)
        assert answer.status_code == 401, headers
    assert await harness.get("p1") == sent
    assert harness.workflows.changes == []


async def test_row_10_a_payout_is_paid_without_any_webhook(harness: Harness) -> None:
    harness.lose_webhooks()
    await harness.due("p1", "anna@example.com")
    await harness.send("p1")
    await ends_paid_once(harness)


async def test_row_14_a_repeated_settlement_changes_nothing(
    harness: Harness, genuine: tuple[Signer, str], http: httpx.AsyncClient
) -> None:
    """A send, a refresh and a webhook are repeated after the settlement."""
    await harness.due("p1", "anna@example.com")
    await harness.send("p1")
    paid = await harness.until("p1", pb.Payout.STATE_PAID)
    signer, url = genuine
    body = batch_event("po-p1-1")
    for _ in range(3):
        answer = await http.post(
            harness.webhook_url, content=body, headers=signer.headers(body, url)
        )
        assert answer.status_code == 200
        assert await harness.send("p1") == await harness.refresh("p1") == paid
    await ends_paid_once(harness)
