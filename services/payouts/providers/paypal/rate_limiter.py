"""Sliding-window rate limiter for PayPal's payment POSTs.

A leaky bucket (aiolimiter's, say) lets a full bucket's burst and a minute's drip through within one
minute, twice the limit, unless the bucket is so small that hundreds of payments due at once queue
for no reason. So the times of the last minute's calls are kept instead.
"""

import asyncio
from collections import deque

_WINDOW_SECONDS = 60.0


class SlidingWindowLimiter:
    """At most `calls_per_minute` in any 60 s; further callers wait in order."""

    def __init__(self, calls_per_minute: int) -> None:
        self._calls_per_minute = calls_per_minute
        self._times: deque[float] = deque()
        # asyncio.Lock is fair: waiting callers are served in order.
        self._lock = asyncio.Lock()

    async def acquire(self) -> None:
        """Returns when the call may be made. A cancelled caller uses up nothing."""
        async with self._lock:
            now = asyncio.get_running_loop().time()
            if len(self._times) == self._calls_per_minute:
                await asyncio.sleep(self._times[0] + _WINDOW_SECONDS - now)
                self._times.popleft()
            self._times.append(asyncio.get_running_loop().time())
