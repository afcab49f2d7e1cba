"""Empties quarantine, again and again, beside the server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import structlog

from servicekit.errors import LiaisonError
from services.media.handlers import MediaHandlers

log = structlog.get_logger()


@asynccontextmanager
async def sweeping(media: MediaHandlers, interval_seconds: float) -> AsyncIterator[None]:
    """Sweeps for as long as the block runs. Several servers may: a sweep may be repeated."""
    task = asyncio.create_task(_sweep_forever(media, interval_seconds))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _sweep_forever(media: MediaHandlers, interval_seconds: float) -> None:
    while True:
        try:
            while await media.sweep():
                pass
        except LiaisonError as error:
            log.warning("sweep_failed", reason=error.reason)
        except Exception:
            log.exception("sweep_failed")  # an object that cannot be removed stops no server
        await asyncio.sleep(interval_seconds)
