"""The stack's identity provider: its signing key, its JWKS file, and the tokens it issues.

Production uses the organisation's own provider, with the same claims.
"""

import base64
import hashlib
import json
import time
from pathlib import Path
from typing import Literal

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from devstack.home import Home, write_private

ISSUER = "https://identity.liaison.test"
AUDIENCE = "liaison"
SERVICE_TOKEN_SECONDS = 30 * 24 * 3600

Role = Literal["brand", "creator", "mediator", "operator", "service", "platform"]


def ensure_key(home: Home) -> None:
    """Creates the signing key if there is none, and writes the JWKS file."""
    path = _key_file(home)
    if not path.exists():
        pem = Ed25519PrivateKey.generate().private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        write_private(path, pem.decode())
    key = public_key(_private_key(home))
    write_private(home.jwks_file, json.dumps({"keys": [key]}, indent=2) + "\n")


def mint(
    home: Home,
    role: Role,
    *,
    subject: str = "",
    brand: str = "",
    creator: str = "",
    ttl_seconds: int = 3600,
) -> str:
    """Issues a token for `role`. For the roles brand and creator it names the brand or creator."""
    if (role == "brand") != bool(brand) or (role == "creator") != bool(creator):
        raise ValueError("role brand needs a brand, role creator a creator, the others neither")
    issued = int(time.time())
    kind = "staff" if role in ("mediator", "operator") else f"{role}s"
    claims: dict[str, str | int] = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": subject or f"{kind}/{brand or creator or 'local'}",
        "iat": issued,
        "exp": issued + ttl_seconds,
        "role": role,
    }
    claims |= {name: value for name, value in (("brand", brand), ("creator", creator)) if value}
    key = _private_key(home)
    return jwt.encode(claims, key, algorithm="EdDSA", headers={"kid": str(public_key(key)["kid"])})


def service_token_file(home: Home, name: str) -> Path:
    """Writes a new token for one of the platform's processes to a file."""
    path = home.secrets / f"token-{name}"
    token = mint(home, "service", subject=f"services/{name}", ttl_seconds=SERVICE_TOKEN_SECONDS)
    write_private(path, token)
    return path


def public_key(key: Ed25519PrivateKey) -> dict[str, str]:
    """The public key as a JWK; `kid` is its thumbprint (RFC 7638, RFC 8037)."""
    raw = key.public_key().public_bytes_raw()
    required = {"crv": "Ed25519", "kty": "OKP", "x": _base64url(raw)}
    canonical = json.dumps(required, separators=(",", ":"), sort_keys=True)
    thumbprint = _base64url(hashlib.sha256(canonical.encode()).digest())
    return {**required, "kid": thumbprint, "alg": "EdDSA", "use": "sig"}


def _key_file(home: Home) -> Path:
    return home.secrets / "signing.pem"


def _private_key(home: Home) -> Ed25519PrivateKey:
    key = serialization.load_pem_private_key(_key_file(home).read_bytes(), password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise TypeError(f"{_key_file(home)} is not an Ed25519 key")
    return key


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
