"""Who may call what, and which tokens are believed: every RPC of every service, as it is served.

The use cases behind are none of this matter and stand in for themselves.
"""

import json
import time
from collections.abc import AsyncIterator, Iterable
from typing import Any

import grpc
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from google.protobuf.message_factory import GetMessageClass

from devstack import identity
from devstack.access import Access
from servicekit.auth import Role
from servicekit.errors import FailedPrecondition, LiaisonError, Reason
from servicekit.rpc.client import from_rpc_error
from servicekit.rpc.server import Service
from services.creators.servicer import service as creators
from services.disputes.servicer import service as disputes
from services.media.uploads.servicer import service as media
from services.notifications.servicer import service as notifications
from services.payouts.servicer import service as payouts
from services.tasks.servicer import Handlers
from services.tasks.servicer import services as tasks
from tests.support.serving import Served, refused, serving


class Untouched:
    """Replaces the use cases and records the calls that reach them."""

    def __init__(self) -> None:
        self.reached: list[str] = []

    def __getattr__(self, name: str) -> Any:
        async def use_case(*_: object) -> None:
            self.reached.append(name)
            raise FailedPrecondition(Reason.ILLEGAL_STATE, "The call came through")

        return use_case


def services_before(behind: Any) -> list[Service]:
    return [
        creators(behind),
        *tasks(Handlers(*[behind] * 7)),
        media(behind),
        payouts(behind, behind, behind, behind),
        disputes(behind),
        notifications(behind),
    ]


RPCS = {
    f"/{service.descriptor.full_name}/{method.name}": (
        GetMessageClass(method.input_type),
        GetMessageClass(method.output_type),
        service.access[method.name].roles,
    )
    for service in services_before(None)
    for method in service.descriptor.methods
}
RPC = "/liaison.tasks.v1.TaskService/GetTask"


@pytest.fixture
def behind() -> Untouched:
    return Untouched()


@pytest.fixture
async def served(access: Access, behind: Untouched) -> AsyncIterator[Served]:
    async with serving(access, services_before(behind), None) as served:
        yield served


async def call(channel: grpc.aio.Channel, path: str, metadata: Iterable[Any] = ()) -> None:
    """With an empty request."""
    request_class, response_class, _ = RPCS[path]
    method: Any = channel.unary_unary(
        path,
        request_serializer=request_class.SerializeToString,
        response_deserializer=response_class.FromString,
    )
    await method(request_class(), metadata=tuple(metadata))


def channel_of(served: Served, role: Role) -> grpc.aio.Channel:
    match role:
        case Role.BRAND:
            return served.as_brand("acme")
        case Role.CREATOR:
            return served.as_creator("anna")
        case Role.MEDIATOR:
            return served.as_mediator()
        case Role.OPERATOR:
            return served.as_operator()
        case Role.SERVICE:
            return served.as_service()
        case Role.PLATFORM:
            return served.as_platform()


async def test_each_rpc_is_for_the_roles_in_its_table_only(
    served: Served, behind: Untouched
) -> None:
    assert len(RPCS) > 40
    for role in Role:
        channel = channel_of(served, role)
        for path, (_, _, roles) in RPCS.items():
            behind.reached.clear()
            with pytest.raises(LiaisonError) as caught:
                await call(channel, path)
            if role in roles:
                passed = {Reason.INVALID_FIELDS, Reason.ILLEGAL_STATE}
                assert caught.value.reason in passed, (role, path)
            else:
                assert caught.value.reason == Reason.ROLE_NOT_ALLOWED, (role, path)
                assert caught.value.metadata["role"] == role
                assert not behind.reached, (role, path)


async def test_each_rpc_requires_a_valid_token(served: Served, behind: Untouched) -> None:
    garbage = served.with_token("not.a.token")
    async with grpc.aio.insecure_channel(served.address) as nobody:
        for path in RPCS:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call(nobody, path)
            assert from_rpc_error(caught.value).reason == Reason.CREDENTIALS_MISSING, path
            with refused(Reason.CREDENTIALS_INVALID):
                await call(garbage, path)
    assert not behind.reached


@pytest.mark.parametrize("value", ["", "Basic YTpi", "bearer x", "Bearer", "Token x"])
async def test_another_scheme_is_no_token(served: Served, value: str) -> None:
    async with grpc.aio.insecure_channel(served.address) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call(channel, RPC, [("authorization", value)])
    assert from_rpc_error(caught.value).reason == Reason.CREDENTIALS_MISSING


class Minter:
    """Makes tokens that are valid except for one claim."""

    def __init__(self, access: Access) -> None:
        self.key = identity._private_key(access.home)
        self.key_id = identity.public_key(self.key)["kid"]
        self.jwks = access.home.jwks_file.read_text()

    def signed(self, key: Any = None, algorithm: str = "EdDSA", **changes: object) -> str:
        claims: dict[str, Any] = {
            "iss": identity.ISSUER,
            "aud": identity.AUDIENCE,
            "sub": "brands/acme",
            "exp": int(time.time()) + 600,
            "role": "brand",
            "brand": "acme",
        }
        claims |= changes
        for absent in [name for name, value in claims.items() if value is ...]:
            del claims[absent]
        headers = {"kid": self.key_id}
        return jwt.encode(claims, key or self.key, algorithm=algorithm, headers=headers)

    def unsigned(self) -> str:
        header, payload, _ = self.signed().split(".")
        header = jwt.utils.base64url_encode(
            json.dumps({"alg": "none", "typ": "JWT", "kid": self.key_id}).encode()
        ).decode()
        return f"{header}.{payload}."

    def altered(self) -> str:
        """The signature of one token under the claims of another."""
        header, _, signature = self.signed().split(".")
        return f"{header}.{self.signed(brand='evil').split('.')[1]}.{signature}"

    def confused(self) -> str:
        """Signed with our public key as if it were a shared secret."""
        return self.signed(
            jwt.utils.base64url_decode(json.loads(self.jwks)["keys"][0]["x"]), "HS256"
        )


async def test_every_claim_of_a_token_is_checked(
    access: Access, served: Served, behind: Untouched
) -> None:
    mint = Minter(access)
    with refused(
        Reason.INVALID_FIELDS, "name"
    ):  # the rest of the request is validated, and is valid
        await call(served.with_token(mint.signed()), RPC)
    wrong: dict[str, str] = {
        "forged": mint.signed(Ed25519PrivateKey.generate()),
        "altered": mint.altered(),
        "unsigned": mint.unsigned(),
        "confused": mint.confused(),
        "no key id": jwt.encode({"sub": "x"}, mint.key, algorithm="EdDSA"),
        "expired": mint.signed(exp=int(time.time()) - 1),
        "end no number": mint.signed(exp=str(int(time.time()) + 600)),
        "no end": mint.signed(exp=...),
        "another audience": mint.signed(aud="somebody-else"),
        "no audience": mint.signed(aud=...),
        "another issuer": mint.signed(iss="https://evil.example"),
        "no issuer": mint.signed(iss=...),
        "no subject": mint.signed(sub=...),
        "subject no text": mint.signed(sub=7),
        "no role": mint.signed(role=...),
        "unknown role": mint.signed(role="administrator"),
        "role no text": mint.signed(role=["operator"]),
        "staff by another name": mint.signed(role="operator", sub="operators/local"),
        "brand null": mint.signed(brand=None),
        "brand empty": mint.signed(brand=""),
        "brand absent": mint.signed(brand=...),
        "brand no text": mint.signed(brand=7),
        "creator null": mint.signed(role="creator", creator=None),
        "creator empty": mint.signed(role="creator", creator=""),
        "creator absent": mint.signed(role="creator"),
    }
    for what, token in wrong.items():
        with pytest.raises(LiaisonError) as caught:
            await call(served.with_token(token), RPC)
        assert caught.value.reason == Reason.CREDENTIALS_INVALID, what
    assert not behind.reached


async def test_a_brand_claim_in_a_token_of_another_role_is_ignored(
    access: Access, served: Served
) -> None:
    """A creator's token that also names a brand stays a creator's."""
    token = Minter(access).signed(role="creator", creator="anna", brand="acme")
    with refused(Reason.ROLE_NOT_ALLOWED):
        await call(served.with_token(token), "/liaison.tasks.v1.TaskService/CreateTask")
