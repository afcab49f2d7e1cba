"""SlidingWindowLimiter, with its window shortened."""

import asyncio

import pytest

from services.payouts.providers.paypal import rate_limiter
from services.payouts.providers.paypal.rate_limiter import SlidingWindowLimiter

WINDOW_SECONDS = 0.1


@pytest.fixture(autouse=True)
def _short_window(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limiter, "_WINDOW_SECONDS", WINDOW_SECONDS)


async def test_no_window_has_more_calls_than_the_limit() -> None:
    limiter, times = SlidingWindowLimiter(3), list[float]()

    async def call() -> None:
        await limiter.acquire()
        times.append(asyncio.get_running_loop().time())

    await asyncio.gather(*(call() for _ in range(8)))
    assert len(times) == 8
    for first, fourth in zip(times, times[3:], strict=False):
        # A caller records its time shortly after the limiter does.
        assert fourth - first > WINDOW_SECONDS - 0.02
    assert times[2] - times[0] < WINDOW_SECONDS / 2


async def test_a_cancelled_caller_uses_up_no_call() -> None:
    limiter = SlidingWindowLimiter(1)
    await limiter.acquire()
    cancelled = [asyncio.create_task(limiter.acquire()) for _ in range(5)]
    await asyncio.sleep(0)
    for task in cancelled:
        task.cancel()
    await asyncio.gather(*cancelled, return_exceptions=True)
    start = asyncio.get_running_loop().time()
    await limiter.acquire()
    assert asyncio.get_running_loop().time() - start < 1.5 * WINDOW_SECONDS
