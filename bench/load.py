"""Drives unary RPCs as fast as they go, with the same bare client for whatever is measured."""

import asyncio
import itertools
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

import grpc

_AT_ONCE = 64


@dataclass(frozen=True)
class Wire:
    """One request as it goes over the wire."""

    body: bytes
    token: str


class RawClient:
    """A plain channel: bytes in, bytes out, no retries and no errors of ours. Measuring with our
    own client would measure our own client."""

    def __init__(self, address: str, path: str) -> None:
        self._channel = grpc.aio.insecure_channel(address)
        self._call: Any = self._channel.unary_unary(path)

    async def __aenter__(self) -> Self:
        await self._channel.channel_ready()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._channel.close()

    async def send(self, wire: Wire) -> bytes:
        metadata = (("authorization", f"Bearer {wire.token}"),)
        answer: bytes = await self._call(wire.body, metadata=metadata)
        return answer

    async def rate_for(self, seconds: float, wires: Sequence[Wire]) -> float:
        """Calls a second for so many seconds; the requests are repeated as often as needed."""
        return await self._rate(_until(time.perf_counter() + seconds, wires))

    async def rate_of(self, wires: Iterable[Wire]) -> float:
        """Calls a second until each request was sent once."""
        return await self._rate(iter(wires))

    async def _rate(self, wires: Iterator[Wire]) -> float:
        sent = 0

        async def work() -> None:
            nonlocal sent
            for wire in wires:
                await self.send(wire)
                sent += 1

        started = time.perf_counter()
        await asyncio.gather(*(work() for _ in range(_AT_ONCE)))
        return sent / (time.perf_counter() - started)


def _until(deadline: float, wires: Sequence[Wire]) -> Iterator[Wire]:
    for wire in itertools.cycle(wires):
        if time.perf_counter() >= deadline:
            return
        yield wire
