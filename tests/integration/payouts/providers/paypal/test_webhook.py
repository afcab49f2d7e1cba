"""Webhooks: a verified one triggers a refresh of its payout; others are rejected."""

import httpx
import pytest
from liaison.payouts.v1 import payouts_pb2 as pb

from servicekit.errors import Reason
from tests.integration.payouts.harness import Harness, eventually
from tests.integration.payouts.webhook_signing import Signer, batch_event, certified
from tests.support.serving import refused


@pytest.mark.rule("R53", part="payouts")
async def test_webhooks_alone_settle_a_payout_and_signal_its_workflow(harness: Harness) -> None:
    await harness.due("p1", "anna@example.com")
    await harness.send("p1")

    async def is_paid() -> bool:
        return (await harness.get("p1")).state == pb.Payout.STATE_PAID

    await eventually(is_paid)

    async def is_signalled() -> bool:
        return ("p1", "PAID") in harness.workflows.changes

    await eventually(is_signalled)
    assert (await harness.balances())["provider/paypal"] == 10_000


async def test_a_webhook_settles_an_unknown_attempt(harness: Harness) -> None:
    await harness.due("p1", "drop-response@example.com")
    with refused(Reason.OUTCOME_UNKNOWN):
        await harness.send_once("p1")

    async def is_paid() -> bool:
        return (await harness.get("p1")).state == pb.Payout.STATE_PAID

    await eventually(is_paid)
    assert len(harness.batches()) == 1


async def test_a_webhook_signed_with_an_expired_certificate_is_rejected(
    harness: Harness, http: httpx.AsyncClient
) -> None:
    async with certified(harness, Signer(valid_days=-1)) as (signer, url):
        body = batch_event("po-p1-1")
        answer = await http.post(
            harness.webhook_url, content=body, headers=signer.headers(body, url)
        )
        assert answer.status_code == 401


async def test_a_webhook_whose_certificate_cannot_be_fetched_is_unavailable(
    harness: Harness, genuine: tuple[Signer, str], http: httpx.AsyncClient
) -> None:
    signer, _ = genuine
    harness.webhook._verifier._origin = "http://127.0.0.1:1"
    body = batch_event("po-p1-1")
    headers = signer.headers(body, "http://127.0.0.1:1/certs/CERT-1")
    assert (await http.post(harness.webhook_url, content=body, headers=headers)).status_code == 503


async def test_an_event_of_an_unreadable_batch_is_not_acknowledged(
    harness: Harness, genuine: tuple[Signer, str], http: httpx.AsyncClient
) -> None:
    """The provider does not show the event's batch yet, so PayPal must deliver it again."""
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


async def test_foreign_events_and_malformed_bodies_change_nothing(
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
