"""Authentication: verifies bearer tokens and tells who calls.

A token is a JWT signed with EdDSA. Its claims are `iss`, `aud`, `sub`, `exp`, `role` and, for the
roles brand and creator, `brand` or `creator`. The `sub` of mediators and operators is
`staff/{staff}`.
"""

import json
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import jwt
from jwt.utils import base64url_decode

from servicekit import resource_names
from servicekit.clock import utc_now
from servicekit.errors import InvalidArgument, Reason, Unauthenticated, not_found, not_yours

T = TypeVar("T")


class Role(StrEnum):
    BRAND = "brand"
    CREATOR = "creator"
    MEDIATOR = "mediator"
    OPERATOR = "operator"
    SERVICE = "service"
    PLATFORM = "platform"


STAFF = frozenset({Role.MEDIATOR, Role.OPERATOR})


@dataclass(frozen=True)
class Principal:
    """A caller. `brand` or `creator` is the id of the party it acts for, in those two roles
    only."""

    subject: str
    role: Role
    brand: str | None = None
    creator: str | None = None
    # When the token expires: a stream must not outlive it.
    expire_time: datetime | None = None

    @property
    def actor(self) -> str:
        """The resource name that records store: `brands/…`, `creators/…`, `staff/…`, `services/…`
        or `platforms/…`."""
        if self.role is Role.BRAND:
            return f"brands/{self.brand}"
        if self.role is Role.CREATOR:
            return f"creators/{self.creator}"
        return self.subject

    def require_party(
        self,
        name: str,
        *,
        brand: str | None = None,
        creator: str | None = None,
    ) -> None:
        """Permits staff and services, the brand and the creator that the resource `name` belongs
        to, and no platform, which acts for no party.

        Raises:
            PermissionDenied: the caller is another brand or creator, or a platform.
        """
        if self.role is Role.PLATFORM:
            raise not_yours(name)
        if self.role is Role.BRAND and (brand is None or self.brand != brand):
            raise not_yours(name)
        if self.role is Role.CREATOR and (creator is None or self.creator != creator):
            raise not_yours(name)

    def require_found(self, name: str, resource: T | None) -> T:
        """The resource called `name`, if there is one.

        Raises:
            NotFound: it is None.
            PermissionDenied: it is None, and the caller is a brand or a creator, who must not learn
                whether a resource of others exists.
        """
        if resource is None:
            is_party = self.role in (Role.BRAND, Role.CREATOR)
            raise not_yours(name) if is_party else not_found(name)
        return resource


_principal: ContextVar[Principal] = ContextVar("principal")


def current_principal() -> Principal:
    """The caller of the current RPC."""
    return _principal.get()


def set_principal(principal: Principal) -> None:
    _principal.set(principal)


class TokenVerifier:
    """Verifies bearer tokens against a JWKS file."""

    def __init__(self, jwks_file: Path, issuer: str, audience: str) -> None:
        self._keys = {
            key.key_id: key
            for key in jwt.PyJWKSet.from_dict(json.loads(jwks_file.read_text())).keys
            if key.key_id is not None
        }
        self._issuer = issuer
        self._audience = audience
        # Verifying a signature takes about 0.1 ms, and callers reuse their tokens.
        self._claims = lru_cache(maxsize=10_000)(self._verified_claims)
        # All tokens of one signer have the same header.
        self._key = lru_cache(maxsize=100)(self._named_key)

    def verify(self, token: str) -> Principal:
        """Returns the caller that the token identifies.

        Raises:
            Unauthenticated: it is malformed or expired, has another issuer or audience, or its key
                is unknown.
        """
        try:
            claims = self._claims(token)
            if claims["exp"] <= utc_now().timestamp():
                raise jwt.ExpiredSignatureError
            return _principal_of(claims)
        except (
            jwt.PyJWTError,
            InvalidArgument,
            KeyError,
            TypeError,
            ValueError,
            OverflowError,
            RecursionError,
        ):
            # The cause is not reported: it would only help an attacker.
            raise Unauthenticated(
                Reason.CREDENTIALS_INVALID, "The bearer token is not valid"
            ) from None

    def _verified_claims(self, token: str) -> Mapping[str, Any]:
        claims: dict[str, Any] = jwt.decode(
            token,
            self._key(token.partition(".")[0]),
            algorithms=["EdDSA"],
            issuer=self._issuer,
            audience=self._audience,
            options={"require": ["exp", "iss", "aud", "sub"]},
        )
        return claims

    def _named_key(self, header: str) -> jwt.PyJWK:
        """The key that the header names; `jwt.decode` checks the rest of the header."""
        return self._keys[json.loads(base64url_decode(header))["kid"]]


def _principal_of(claims: Mapping[str, Any]) -> Principal:
    role = Role(claims["role"])
    if role in STAFF:
        # Records store it, and must be able to tell staff from a party.
        resource_names.parse_id("staff/{staff}", claims["sub"])
    brand = _id_in(claims, "brand") if role is Role.BRAND else None
    creator = _id_in(claims, "creator") if role is Role.CREATOR else None
    expire_time = datetime.fromtimestamp(claims["exp"], UTC)
    return Principal(claims["sub"], role, brand, creator, expire_time)


def _id_in(claims: Mapping[str, Any], name: str) -> str:
    found = claims[name]
    if not isinstance(found, str) or not found:
        raise ValueError(f"the claim {name} is missing")
    return found
