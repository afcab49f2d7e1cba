"""Limit of payout POSTs within any 60 s."""

import time
from collections import deque

_MINUTE_SECONDS = 60.0


class Throttle:
    def __init__(self) -> None:
        self._taken: deque[float] = deque()

    def takes(self, a_minute: int | None) -> bool:
        """Whether one more POST is accepted now; always true without a limit."""
        now = time.monotonic()
        while self._taken and self._taken[0] <= now - _MINUTE_SECONDS:
            self._taken.popleft()
        is_taken = a_minute is None or len(self._taken) < a_minute
        if is_taken:
            self._taken.append(now)
        return is_taken
