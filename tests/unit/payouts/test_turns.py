"""Turns within a minute that is made short here."""

import asyncio

import pytest

from services.payouts.providers.paypal import rate_limiter
from services.payouts.providers.paypal.rate_limiter import Turns

MINUTE_SECONDS = 0.1


@pytest.fixture(autouse=True)
def _short_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limiter, "_MINUTE_SECONDS", MINUTE_SECONDS)


async def test_no_minute_has_more_turns_than_it_may() -> None:
    taking, taken = Turns(3), list[float]()

    async def take() -> None:
        await taking.take()
        taken.append(asyncio.get_running_loop().time())

    await asyncio.gather(*(take() for _ in range(8)))
    assert len(taken) == 8
    for first, fourth in zip(taken, taken[3:], strict=False):
        # What a caller sees of a turn is a moment after it.
        assert fourth - first > MINUTE_SECONDS - 0.02
    assert taken[2] - taken[0] < MINUTE_SECONDS / 2


async def test_one_that_gives_up_has_taken_none() -> None:
    taking = Turns(1)
    await taking.take()
    given_up = [asyncio.create_task(taking.take()) for _ in range(5)]
    await asyncio.sleep(0)
    for task in given_up:
        task.cancel()
    await asyncio.gather(*given_up, return_exceptions=True)
    begun_at = asyncio.get_running_loop().time()
    await taking.take()
    assert asyncio.get_running_loop().time() - begun_at < 1.5 * MINUTE_SECONDS
