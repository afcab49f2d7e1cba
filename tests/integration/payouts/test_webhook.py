"""Webhooks: a nudge when PayPal signed them, nothing at all when it did not."""

import base64
import json
import zlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID
from liaison.payouts.v1 import payouts_pb2 as pb

from servicekit.errors import Reason
from tests.integration.payouts.house import WEBHOOK_ID, House, eventually
from tests.support.serving import refused


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(trust_env=False) as client:
        yield client


class Signer:
    """A key like PayPal's, with a certificate."""

    def __init__(self, *, valid_days: int = 1) -> None:
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "signer")])
        now = datetime.now(UTC)
        self.certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self._key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=30))
            .not_valid_after(now + timedelta(days=valid_days))
            .sign(self._key, hashes.SHA256())
            .public_bytes(serialization.Encoding.PEM)
        )

    def headers(self, body: bytes, url: str, webhook_id: str = WEBHOOK_ID) -> dict[str, str]:
        message = f"t1|2026-03-01T00:00:00Z|{webhook_id}|{zlib.crc32(body)}"
        signature = self._key.sign(message.encode(), padding.PKCS1v15(), hashes.SHA256())
        return {
            "PAYPAL-TRANSMISSION-ID": "t1",
            "PAYPAL-TRANSMISSION-TIME": "2026-03-01T00:00:00Z",
            "PAYPAL-TRANSMISSION-SIG": base64.b64encode(signature).decode(),
            "PAYPAL-CERT-URL": url,
            "PAYPAL-AUTH-ALGO": "SHA256withRSA",
        }


@pytest.fixture
async def genuine(house: House) -> AsyncIterator[tuple[Signer, str]]:
    """A signer whose certificate lies where the service is told that PayPal's are."""
    async for found in _served(house, Signer()):
        yield found


async def _served(house: House, signer: Signer) -> AsyncIterator[tuple[Signer, str]]:
    async def certificate(_: web.Request) -> web.Response:
        return web.Response(body=signer.certificate)

    application = web.Application()
    application.router.add_get("/certs/{name}", certificate)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    origin = f"http://127.0.0.1:{runner.addresses[0][1]}"
    house.webhook._verifier._origin = origin
    try:
        yield signer, f"{origin}/certs/CERT-1"
    finally:
        await runner.cleanup()


def _event(sender_batch_id: str, batch_id: str = "") -> bytes:
    header = {
        "payout_batch_id": batch_id,
        "batch_status": "SUCCESS",
        "sender_batch_header": {"sender_batch_id": sender_batch_id},
    }
    return json.dumps(
        {
            "event_type": "PAYMENT.PAYOUTSBATCH.SUCCESS",
            "resource": {"batch_header": header},
        }
    ).encode()


@pytest.mark.rule("R53", part="payouts")
async def test_the_sandboxes_webhooks_alone_bring_a_payout_to_its_end(house: House) -> None:
    await house.due("p1", "anna@example.com")
    await house.send("p1")

    async def is_paid() -> bool:
        return (await house.get("p1")).state == pb.Payout.STATE_PAID

    await eventually(is_paid)

    async def is_told() -> bool:
        return ("p1", "PAID") in house.told.changes

    await eventually(is_told)
    assert (await house.balances())["provider/paypal"] == 10_000


async def test_a_webhook_settles_what_was_unknown(house: House) -> None:
    await house.due("p1", "drop-answer@example.com")
    with refused(Reason.OUTCOME_UNKNOWN):
        await house.send_once("p1")

    async def is_paid() -> bool:
        return (await house.get("p1")).state == pb.Payout.STATE_PAID

    await eventually(is_paid)
    assert len(house.batches()) == 1


async def test_doubled_webhooks_change_nothing_more(
    house: House, genuine: tuple[Signer, str], http: httpx.AsyncClient
) -> None:
    await house.due("p1", "anna@example.com")
    await house.send("p1")
    paid = await house.until("p1", pb.Payout.STATE_PAID)
    signer, url = genuine
    body = _event("po-p1-1")
    for _ in range(3):
        answer = await http.post(house.webhook_url, content=body, headers=signer.headers(body, url))
        assert answer.status_code == 200
    assert await house.get("p1") == paid
    assert (await house.balances())["provider/paypal"] == 10_000


async def test_a_forged_webhook_changes_nothing(
    house: House, genuine: tuple[Signer, str], http: httpx.AsyncClient
) -> None:
    await house.due("p1", "anna@example.com")
    sent = await house.send("p1")
    signer, url = genuine
    body = _event("po-p1-1")
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
        answer = await http.post(house.webhook_url, content=body, headers=headers)
        assert answer.status_code == 401, headers
    assert await house.get("p1") == sent
    assert house.told.changes == []


async def test_a_certificate_past_its_time_is_not_believed(
    house: House, http: httpx.AsyncClient
) -> None:
    async for signer, url in _served(house, Signer(valid_days=-1)):
        body = _event("po-p1-1")
        answer = await http.post(house.webhook_url, content=body, headers=signer.headers(body, url))
        assert answer.status_code == 401


async def test_without_the_certificate_paypal_is_asked_to_come_again(
    house: House, genuine: tuple[Signer, str], http: httpx.AsyncClient
) -> None:
    signer, _ = genuine
    house.webhook._verifier._origin = "http://127.0.0.1:1"
    body = _event("po-p1-1")
    headers = signer.headers(body, "http://127.0.0.1:1/certs/CERT-1")
    assert (await http.post(house.webhook_url, content=body, headers=headers)).status_code == 503


async def test_an_event_that_cannot_be_booked_is_not_acknowledged(
    house: House, genuine: tuple[Signer, str], http: httpx.AsyncClient
) -> None:
    """An early one names a batch that the provider does not show yet."""
    await house.due("p1", "anna@example.com")
    await house.database.execute(
        """
        INSERT INTO attempt (payout_id, number, state, receiver, amount_minor, sender_batch_id,
                             create_time, update_time)
        VALUES ('p1', 1, 'UNKNOWN', 'anna@example.com', 10000, 'po-p1-1', now(), now())
        """
    )
    signer, url = genuine
    body = _event("po-p1-1", "NOT-THERE")
    answer = await http.post(house.webhook_url, content=body, headers=signer.headers(body, url))
    assert answer.status_code == 503
    assert (await house.get("p1")).attempts[0].state == pb.Attempt.STATE_UNKNOWN


async def test_events_of_others_and_odd_bodies_do_no_harm(
    house: House, genuine: tuple[Signer, str], http: httpx.AsyncClient
) -> None:
    signer, url = genuine
    for body, status in (
        (_event("po-of-somebody-1"), 200),
        (b'{"resource": {}}', 200),
        (b"no json", 400),
        (b"[]", 400),
        (b"\xff", 400),
        (b"x" * 300_000, 413),
    ):
        answer = await http.post(house.webhook_url, content=body, headers=signer.headers(body, url))
        assert answer.status_code == status, body[:50]
    origin = house.webhook_url.removesuffix("/webhooks/paypal")
    assert (await http.get(f"{origin}/healthz")).json() == {"status": "ok"}
