"""The key that signs webhooks, its self-signed certificate, and the signature's headers."""

import base64
import datetime
import uuid
import zlib
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

CERTS_PATH = "/v1/notifications/certs/"

_VALID_FOR = datetime.timedelta(days=3650)
# One event keeps its transmission id over all its attempts, so that receivers can tell a repeat.
_TRANSMISSIONS = uuid.UUID("6f1c3f0e-8a0b-4c62-9d0d-5d2f8a4b7e11")


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs as PayPal documents it: `transmission id | time | webhook id | crc32 of the body`."""

    key: rsa.RSAPrivateKey
    certificate: bytes
    certificate_id: str
    public_url: str
    webhook_id: str

    def headers(self, event_id: str, body: bytes, time: str) -> dict[str, str]:
        transmission_id = str(uuid.uuid5(_TRANSMISSIONS, event_id))
        message = f"{transmission_id}|{time}|{self.webhook_id}|{zlib.crc32(body)}"
        signature = self.key.sign(message.encode(), padding.PKCS1v15(), hashes.SHA256())
        return {
            "PAYPAL-TRANSMISSION-ID": transmission_id,
            "PAYPAL-TRANSMISSION-TIME": time,
            "PAYPAL-TRANSMISSION-SIG": base64.b64encode(signature).decode(),
            "PAYPAL-CERT-URL": f"{self.public_url}{CERTS_PATH}{self.certificate_id}",
            "PAYPAL-AUTH-ALGO": "SHA256withRSA",
        }


def load_signer(data_dir: Path, *, public_url: str, webhook_id: str) -> Signer:
    """Creates the key at the first start and keeps it: receivers may pin its certificate."""
    path = data_dir / "webhook-signing.pem"
    if not path.exists():
        _write_privately(path, _new_key_and_certificate())
    pem = path.read_bytes()
    key = serialization.load_pem_private_key(pem, password=None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise TypeError(f"{path} holds no RSA key")
    certificate = x509.load_pem_x509_certificate(pem)
    return Signer(
        key=key,
        certificate=certificate.public_bytes(serialization.Encoding.PEM),
        certificate_id=f"CERT-{certificate.fingerprint(hashes.SHA256()).hex()[:16]}",
        public_url=public_url.rstrip("/"),
        webhook_id=webhook_id,
    )


def _new_key_and_certificate() -> bytes:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "PayPal sandbox webhooks")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + _VALID_FOR)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return private + certificate.public_bytes(serialization.Encoding.PEM)


def _write_privately(path: Path, content: bytes) -> None:
    """Writes the file atomically, readable by its owner only."""
    unfinished = path.with_suffix(".unfinished")
    unfinished.unlink(missing_ok=True)
    unfinished.touch(mode=0o600, exist_ok=False)
    unfinished.write_bytes(content)
    unfinished.replace(path)
