"""Webhooks: a nudge when PayPal signed them, nothing at all when it did not."""

import httpx
import pytest
from liaison.payouts.v1 import payouts_pb2 as pb

from servicekit.errors import Reason
from tests.integration.payouts.harness import Harness, eventually
from tests.integration.payouts.webhook_signing import Signer, batch_event, certified
from tests.support.serving import refused


@pytest.mark.rule("R53", part="payouts")
async def test_the_sandboxes_webhooks_alone_bring_a_payout_to_its_end(harness: Harness) -> None:
    await harness.due("p1", "anna@example.com")
    await harness.send("p1")

    async def is_paid() -> bool:
        return (await harness.get("p1")).state == pb.Payout.STATE_PAID

    await eventually(is_paid)

    async def is_told() -> bool:
        return ("p1", "PAID") in harness.workflows.changes

    await eventually(is_told)
    assert (await harness.balances())["provider/paypal"] == 10_000


async def test_a_webhook_settles_what_was_unknown(harness: Harness) -> None:
    await harness.due("p1", "drop-answer@example.com")
    with refused(Reason.OUTCOME_UNKNOWN):
        await harness.send_once("p1")

    async def is_paid() -> bool:
        return (await harness.get("p1")).state == pb.Payout.STATE_PAID

    await eventually(is_paid)
    assert len(harness.batches()) == 1


async def test_a_certificate_past_its_time_is_not_believed(
    harness: Harness, http: httpx.AsyncClient
) -> None:
    async with certified(harness, Signer(valid_days=-1)) as (signer, url):
        body = batch_event("po-p1-1")
        answer = await http.post(
            harness.webhook_url, content=body, headers=signer.headers(body, url)
        )
        assert answer.status_code == 401


async def test_without_the_certificate_paypal_is_asked_to_come_again(
    harness: Harness, genuine: tuple[Signer, str], http: httpx.AsyncClient
) -> None:
    signer, _ = genuine
    harness.webhook._verifier._origin = "http://127.0.0.1:1"
    body = batch_event("po-p1-1")
    headers = signer.headers(body, "http://127.0.0.1:1/certs/CERT-1")
    assert (await http.post(harness.webhook_url, content=body, headers=headers)).status_code == 503


async def test_an_event_that_cannot_be_booked_is_not_acknowledged(
    harness: Harness, genuine: tuple[Signer, str], http: httpx.AsyncClient
) -> None:
    """An early one names a batch that the provider does not show yet."""
    await harness.due("p1", "anna@example.com")
    await harness.database.execute(
        """
        INSERT INTO attempt (payout_id, number, state, receiver, amount_minor, provider,
                             sender_batch_id, create_time, update_time)
        VALUES ('p1', 1, 'UNKNOWN', 'anna@example.com', 10000, 'PAYPAL', 'po-p1-1', now(), now())
        """
    )
    signer, url = genuine
    body = batch_event("po-p1-1", "NOT-THERE")
    answer = await http.post(harness.webhook_url, content=body, headers=signer.headers(body, url))
    assert answer.status_code == 503
    assert (await harness.get("p1")).attempts[0].state == pb.Attempt.STATE_UNKNOWN


async def test_events_of_others_and_odd_bodies_do_no_harm(
    harness: Harness, genuine: tuple[Signer, str], http: httpx.AsyncClient
) -> None:
    signer, url = genuine
    for body, status in (
        (batch_event("po-of-somebody-1"), 200),
        (b'{"resource": {}}', 200),
        (b"no json", 400),
        (b"[]", 400),
        (b"\xff", 400),
        (b"x" * 300_000, 413),
    ):
        answer = await http.post(
            harness.webhook_url, content=body, headers=signer.headers(body, url)
        )
        assert answer.status_code == status, body[:50]
    origin = harness.webhook_url.removesuffix("/webhooks/paypal")
    assert (await http.get(f"{origin}/healthz")).json() == {"status": "ok"}
