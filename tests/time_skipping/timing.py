"""Points in time, and waiting in real time while workflow time stands still."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import TypeVar

T = TypeVar("T")

DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
_PATIENCE_SECONDS = 30.0


def utc(year: int, month: int, day: int, hour: int = 12) -> datetime:
    return datetime(year, month, day, hour, tzinfo=UTC)


async def eventually(
    read: Callable[[], Awaitable[T]], is_so: Callable[[T], object], what: str
) -> T:
    end = time.monotonic() + _PATIENCE_SECONDS
    while not is_so(found := await read()):
        assert time.monotonic() < end, f"{what} did not come about; seen last: {found}"
        await asyncio.sleep(0.02)
    return found
