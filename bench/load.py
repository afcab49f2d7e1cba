"""Generates load: sends unary RPCs as fast as possible, with the same client for all servers."""

import asyncio
import itertools
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

import grpc

_AT_ONCE = 64


@dataclass(frozen=True)
class EncodedRequest:
    """A serialized request and the token it is sent with."""

    body: bytes
    token: str


class RawClient:
    """A plain gRPC channel: bytes in, bytes out, without retries and error mapping, so that our own
    client is not measured."""

    def __init__(self, address: str, path: str) -> None:
        self._channel = grpc.aio.insecure_channel(address)
        self._call: Any = self._channel.unary_unary(path)

    async def __aenter__(self) -> Self:
        await self._channel.channel_ready()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._channel.close()

    async def send(self, request: EncodedRequest) -> bytes:
        metadata = (("authorization", f"Bearer {request.token}"),)
        answer: bytes = await self._call(request.body, metadata=metadata)
        return answer

    async def rate_for(self, seconds: float, requests: Sequence[EncodedRequest]) -> float:
        """Calls per second over `seconds`; the requests are repeated as needed."""
        return await self._rate(_until(time.perf_counter() + seconds, requests))

    async def rate_of(self, requests: Iterable[EncodedRequest]) -> float:
        """Calls per second while each request is sent once."""
        return await self._rate(iter(requests))

    async def _rate(self, requests: Iterator[EncodedRequest]) -> float:
        sent = 0

        async def work() -> None:
            nonlocal sent
            for request in requests:
                await self.send(request)
                sent += 1

        started = time.perf_counter()
        await asyncio.gather(*(work() for _ in range(_AT_ONCE)))
        return sent / (time.perf_counter() - started)


def _until(deadline: float, requests: Sequence[EncodedRequest]) -> Iterator[EncodedRequest]:
    for request in itertools.cycle(requests):
        if time.perf_counter() >= deadline:
            return
        yield request
