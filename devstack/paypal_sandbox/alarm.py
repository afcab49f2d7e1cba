"""Waits for a time of the wall clock or for a notification, whichever comes first."""

import asyncio
import time
from contextlib import suppress


class Alarm:
    """Supports one waiter. A ring while nobody waits ends the next wait at once."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def ring(self) -> None:
        self._rung.set()

    async def wait_until(self, moment: float | None) -> None:
        """Waits until the Unix time `moment` or a ring; without a moment, until a ring."""
        delay = None if moment is None else max(0.0, moment - time.time())
        with suppress(TimeoutError):
            async with asyncio.timeout(delay):
                await self._rung.wait()
        self._rung.clear()
