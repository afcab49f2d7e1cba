"""A periodic task runs again after each interval, whatever a run raises, until it is cancelled."""

import asyncio

import pytest
import structlog
from opentelemetry.instrumentation.utils import is_instrumentation_enabled
from structlog.testing import capture_logs

from servicekit import background
from servicekit.background import run_periodically, run_until_done
from servicekit.errors import Reason, Unavailable


@pytest.fixture(autouse=True)
def uncached_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "log", structlog.get_logger())


async def test_runs_at_once_and_after_each_interval() -> None:
    runs = 0
    ran_three_times = asyncio.Event()

    async def count() -> None:
        nonlocal runs
        runs += 1
        if runs == 3:
            ran_three_times.set()

    async with run_periodically("count", count, interval_seconds=0.001):
        await asyncio.wait_for(ran_three_times.wait(), 5)


async def test_an_error_is_logged_and_does_not_end_the_series() -> None:
    errors = [Unavailable(Reason.DEPENDENCY_UNAVAILABLE, "away"), ValueError("a bug")]
    recovered = asyncio.Event()

    async def fail() -> None:
        if errors:
            raise errors.pop(0)
        recovered.set()

    with capture_logs() as logs:
        async with run_periodically("fail", fail, interval_seconds=0.001):
            await asyncio.wait_for(recovered.wait(), 5)
    unavailable, bug = logs
    assert unavailable == {
        "event": "periodic_task_failed",
        "task": "fail",
        "log_level": "warning",
        "reason": Reason.DEPENDENCY_UNAVAILABLE,
    }
    assert bug["event"] == "periodic_task_failed"
    assert bug["log_level"] == "error"
    assert bug["exc_info"]


async def test_a_run_is_not_instrumented() -> None:
    seen: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    async def observe() -> None:
        if not seen.done():
            seen.set_result(is_instrumentation_enabled())

    async with run_periodically("observe", observe, interval_seconds=60):
        assert not await asyncio.wait_for(seen, 5)
    assert is_instrumentation_enabled()


async def test_the_end_of_the_block_cancels_a_run_and_waits_for_it() -> None:
    started, cleaned_up = asyncio.Event(), asyncio.Event()

    async def hang() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            cleaned_up.set()

    async with run_periodically("hang", hang, interval_seconds=60):
        await asyncio.wait_for(started.wait(), 5)
    assert cleaned_up.is_set()


async def test_a_run_that_swallows_its_cancellation_is_the_last_one() -> None:
    started = asyncio.Event()

    async def swallow() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return

    async with asyncio.timeout(5):
        async with run_periodically("swallow", swallow, interval_seconds=60):
            await started.wait()


async def test_batches_run_until_one_handles_nothing() -> None:
    handled = [2, 1, 0, 5]

    async def batch() -> int:
        return handled.pop(0)

    await run_until_done(batch)
    assert handled == [5]
