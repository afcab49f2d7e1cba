"""Waiting for a moment of the wall clock, or for news, whichever comes first."""

import asyncio
import time
from contextlib import suppress


class Alarm:
    """One waiter; a ring while nobody waits is kept for the next wait."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def ring(self) -> None:
        self._rung.set()

    async def wait_until(self, moment: float | None) -> None:
        """Without a moment, until it rings."""
        delay = None if moment is None else max(0.0, moment - time.time())
        with suppress(TimeoutError):
            async with asyncio.timeout(delay):
                await self._rung.wait()
        self._rung.clear()
