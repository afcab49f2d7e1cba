"""Periodic tasks that run beside a server: sweeps, measurements and consistency checks."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import structlog
from opentelemetry.instrumentation.utils import suppress_instrumentation

from servicekit.errors import LiaisonError

log = structlog.get_logger()


@asynccontextmanager
async def run_periodically(
    name: str, function: Callable[[], Awaitable[object]], *, interval_seconds: float
) -> AsyncIterator[None]:
    """Runs `function` at once, and again `interval_seconds` after each run ended, for as long as
    the block runs.

    A run that fails is logged as `periodic_task_failed` with `name` and does not end the series: a
    LiaisonError with its reason, any other exception with its traceback. Runs are not traced: a
    trace every few seconds would hide those of calls.
    """
    task = asyncio.create_task(_repeat(name, function, interval_seconds))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})


async def run_until_done(batch: Callable[[], Awaitable[int]]) -> None:
    """Repeats a job that handles a limited number of items and returns how many it handled, until
    it returns 0."""
    while await batch():
        pass


async def _repeat(
    name: str, function: Callable[[], Awaitable[object]], interval_seconds: float
) -> None:
    while True:
        try:
            with suppress_instrumentation():
                await function()
        except LiaisonError as error:
            log.warning("periodic_task_failed", task=name, reason=error.reason)
        except Exception:
            log.exception("periodic_task_failed", task=name)
        if _is_cancelled():
            return
        await asyncio.sleep(interval_seconds)


def _is_cancelled() -> bool:
    """Python 3.11's `asyncio.wait_for`, which the Postgres driver and its pool use, swallows a
    cancellation that arrives together with the result it waits for."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
