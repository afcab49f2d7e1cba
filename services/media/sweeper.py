"""Clears away what is left over, again and again, beside the server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

import structlog

from servicekit.background import in_background
from servicekit.errors import LiaisonError

log = structlog.get_logger()


class Swept(Protocol):
    async def sweep(self) -> int:
        """Answers with how much there was, and may be called again while there is any."""


@asynccontextmanager
async def sweeping(swept: Swept, interval_seconds: float) -> AsyncIterator[None]:
    """Sweeps for as long as the block runs. Several servers may: a sweep may be repeated."""
    async with in_background(_sweep_forever(swept, interval_seconds)):
        yield


async def _sweep_forever(swept: Swept, interval_seconds: float) -> None:
    while True:
        try:
            while await swept.sweep():
                pass
        except LiaisonError as error:
            log.warning("sweep_failed", reason=error.reason)
        except Exception:
            log.exception("sweep_failed")  # an object that cannot be removed stops no server
        await asyncio.sleep(interval_seconds)
