"""Serves services in this process with the real server and interceptors."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any
from uuid import uuid4

import grpc
import pytest

from devstack import identity
from devstack.access import Access
from servicekit.errors import LiaisonError, Reason
from servicekit.postgres.database import Database
from servicekit.rpc.client import open_channel
from servicekit.rpc.server import GrpcServer, Service
from servicekit.settings import ServerSettings


def server_settings(access: Access, **changes: Any) -> ServerSettings:
    return ServerSettings(
        listen_address="127.0.0.1:0",
        auth_jwks_file=access.home.jwks_file,
        auth_issuer=identity.ISSUER,
        auth_audience=identity.AUDIENCE,
        drain_seconds=0,
        **changes,
    )


class Served:
    """A running server and its callers' channels."""

    def __init__(self, access: Access, address: str) -> None:
        self.access = access
        self.address = address
        self._channels: list[grpc.aio.Channel] = []

    def as_brand(self, brand: str) -> grpc.aio.Channel:
        return self.with_token(self.access.token("brand", brand=brand))

    def as_creator(self, creator: str) -> grpc.aio.Channel:
        return self.with_token(self.access.token("creator", creator=creator))

    def as_mediator(self, name: str = "mia") -> grpc.aio.Channel:
        return self.with_token(self.access.token("mediator", subject=f"staff/{name}"))

    def as_operator(self, name: str = "olga") -> grpc.aio.Channel:
        return self.with_token(self.access.token("operator", subject=f"staff/{name}"))

    def as_service(self, name: str = "worker") -> grpc.aio.Channel:
        return self.with_token(self.access.token("service", subject=f"services/{name}"))

    def as_platform(self, name: str = "counts") -> grpc.aio.Channel:
        return self.with_token(self.access.token("platform", subject=f"platforms/{name}"))

    def with_token(self, token: str) -> grpc.aio.Channel:
        channel = open_channel(self.address, lambda: token)
        self._channels.append(channel)
        return channel

    async def close(self) -> None:
        for channel in self._channels:
            await channel.close()


@asynccontextmanager
async def serving(
    access: Access, services: Sequence[Service], database: Database | None, **changes: Any
) -> AsyncIterator[Served]:
    """`changes` override the server's settings."""
    server = GrpcServer(server_settings(access, **changes), services, database)
    await server.start()
    served = Served(access, server.address)
    try:
        yield served
    finally:
        await served.close()
        await server.stop()


def request_id() -> str:
    return str(uuid4())


@contextmanager
def refused(reason: Reason, *fields: str) -> Iterator[pytest.ExceptionInfo[LiaisonError]]:
    """The call inside is refused for this reason, with exactly these fields violated."""
    with pytest.raises(LiaisonError) as caught:
        yield caught
    assert caught.value.reason == reason
    assert sorted(violation.field for violation in caught.value.violations) == sorted(fields)
