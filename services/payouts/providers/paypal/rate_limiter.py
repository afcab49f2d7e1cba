"""Turns: at most so many within any minute, whoever wants one more waits.

Leaky buckets (aiolimiter's, say) let a full bucket's burst and a minute's drip pass within one
minute, which is twice what was asked for, unless the bucket is kept so small that hundreds of
payments that are due at once queue up for no reason. So the times of the last minute are kept.
"""

import asyncio
from collections import deque

_MINUTE_SECONDS = 60.0


class Turns:
    def __init__(self, a_minute: int) -> None:
        self._a_minute = a_minute
        self._taken: deque[float] = deque()
        # Fair: who waits longest is next, and the others wait for the lock.
        self._lock = asyncio.Lock()

    async def take(self) -> None:
        """Returns when it is the caller's turn; one that is cancelled has taken none."""
        async with self._lock:
            now = asyncio.get_running_loop().time()
            if len(self._taken) == self._a_minute:
                await asyncio.sleep(self._taken[0] + _MINUTE_SECONDS - now)
                self._taken.popleft()
            self._taken.append(asyncio.get_running_loop().time())
