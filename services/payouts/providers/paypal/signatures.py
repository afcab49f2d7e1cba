"""Verifies the signature of PayPal's webhooks, with certificates from one trusted origin.

The signed text is `transmission id|time|our webhook id|crc32 of the raw body`; RSA with SHA-256.
"""

import base64
import binascii
import zlib
from collections.abc import Mapping
from urllib.parse import urlsplit

import httpx
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256

from servicekit.clock import Clock
from services.payouts.settings import PaypalSettings

_MAXIMUM_CERTIFICATES = 8


class Forged(Exception):
    """Not signed by PayPal for our webhook."""


class CertificateUnavailable(Exception):
    """The certificate could not be fetched, so the signature cannot be verified now."""


class SignatureVerifier:
    def __init__(self, settings: PaypalSettings, http: httpx.AsyncClient, clock: Clock) -> None:
        self._webhook_id = settings.paypal_webhook_id
        self._origin = settings.paypal_certificate_origin
        self._http = http
        self._clock = clock
        self._certificates: dict[str, x509.Certificate] = {}

    async def verify(self, headers: Mapping[str, str], body: bytes) -> None:
        """Checks the signature in the headers against the raw body.

        Raises:
            Forged, CertificateUnavailable.
        """
        try:
            transmission = headers["PAYPAL-TRANSMISSION-ID"]
            sent_time = headers["PAYPAL-TRANSMISSION-TIME"]
            url = headers["PAYPAL-CERT-URL"]
            algorithm = headers["PAYPAL-AUTH-ALGO"]
            signature = base64.b64decode(headers["PAYPAL-TRANSMISSION-SIG"], validate=True)
        except (KeyError, binascii.Error) as error:
            raise Forged("no signature") from error
        if algorithm != "SHA256withRSA":
            raise Forged("another algorithm")
        key = await self._key(url)
        message = f"{transmission}|{sent_time}|{self._webhook_id}|{zlib.crc32(body)}"
        try:
            key.verify(signature, message.encode(), PKCS1v15(), SHA256())
        except InvalidSignature as error:
            raise Forged("another signature") from error

    async def _key(self, url: str) -> RSAPublicKey:
        certificate = self._certificates.get(url) or await self._fetch(url)
        if not (
            certificate.not_valid_before_utc <= self._clock() <= certificate.not_valid_after_utc
        ):
            raise Forged("a certificate out of its time")
        key = certificate.public_key()
        if not isinstance(key, RSAPublicKey):
            raise Forged("another kind of key")
        return key

    async def _fetch(self, url: str) -> x509.Certificate:
        parts = urlsplit(url)
        # The URL comes from the sender, who could otherwise name a certificate of their own.
        if f"{parts.scheme}://{parts.netloc}".lower() != self._origin:
            raise Forged("a certificate from elsewhere")
        try:
            response = await self._http.get(url)
            if response.is_client_error:
                raise Forged("no such certificate")
            response.raise_for_status()
        except httpx.HTTPError as error:
            raise CertificateUnavailable(url) from error
        try:
            certificate = x509.load_pem_x509_certificates(response.content)[0]
        except ValueError as error:
            raise Forged("no certificate") from error
        if len(self._certificates) >= _MAXIMUM_CERTIFICATES:
            self._certificates.pop(next(iter(self._certificates)))
        self._certificates[url] = certificate
        return certificate
