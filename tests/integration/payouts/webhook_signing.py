"""Signs webhooks with a key that the service takes for PayPal's."""

import base64
import json
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

from tests.integration.payouts.harness import WEBHOOK_ID, Harness


class Signer:
    """An RSA key and its certificate, as PayPal signs with."""

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


@asynccontextmanager
async def certified(harness: Harness, signer: Signer) -> AsyncIterator[tuple[Signer, str]]:
    """Serves the signer's certificate, and sets its origin as the one that the service trusts. The
    service then rejects the sandbox's own webhooks. Yields the signer and its certificate's URL."""

    async def certificate(_: web.Request) -> web.Response:
        return web.Response(body=signer.certificate)

    application = web.Application()
    application.router.add_get("/certs/{name}", certificate)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    origin = f"http://127.0.0.1:{runner.addresses[0][1]}"
    harness.webhook._verifier._origin = origin
    try:
        yield signer, f"{origin}/certs/CERT-1"
    finally:
        await runner.cleanup()


def batch_event(sender_batch_id: str, batch_id: str = "") -> bytes:
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
