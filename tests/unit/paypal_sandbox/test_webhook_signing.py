"""The webhook key and its signature, as a receiver that only has the certificate checks them."""

import base64
import zlib
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from devstack.paypal_sandbox.signing import Signer, load_signer
from devstack.paypal_sandbox.webhooks import MAX_ATTEMPTS, retry_delay_seconds

TIME = "2026-01-01T00:00:00Z"


def signer(folder: Path) -> Signer:
    return load_signer(folder, public_url="http://127.0.0.1:8400/", webhook_id="WH-1")


def verify(certificate: bytes, headers: dict[str, str], body: bytes) -> None:
    key = x509.load_pem_x509_certificate(certificate).public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    message = f"{headers['PAYPAL-TRANSMISSION-ID']}|{TIME}|WH-1|{zlib.crc32(body)}"
    signature = base64.b64decode(headers["PAYPAL-TRANSMISSION-SIG"])
    key.verify(signature, message.encode(), padding.PKCS1v15(), hashes.SHA256())


def test_the_signature_covers_the_body(tmp_path: Path) -> None:
    signing = signer(tmp_path)
    headers = signing.headers("WH-EVENT", b'{"a": 1}', TIME)
    verify(signing.certificate, headers, b'{"a": 1}')
    with pytest.raises(InvalidSignature):
        verify(signing.certificate, headers, b'{"a": 2}')


def test_the_key_is_kept_and_private(tmp_path: Path) -> None:
    first, second = signer(tmp_path), signer(tmp_path)
    assert first.certificate == second.certificate
    assert (tmp_path / "webhook-signing.pem").stat().st_mode & 0o077 == 0
    assert b"PRIVATE" not in first.certificate


def test_a_repeated_delivery_keeps_its_transmission_id(tmp_path: Path) -> None:
    signing = signer(tmp_path)
    first, again, other = (signing.headers(name, b"", TIME) for name in ("e1", "e1", "e2"))
    assert first["PAYPAL-TRANSMISSION-ID"] == again["PAYPAL-TRANSMISSION-ID"]
    assert first["PAYPAL-TRANSMISSION-ID"] != other["PAYPAL-TRANSMISSION-ID"]


def test_deliveries_are_retried_for_minutes_not_for_hours() -> None:
    total_seconds = sum(retry_delay_seconds(attempt) for attempt in range(1, MAX_ATTEMPTS))
    assert 300 < total_seconds < 900
