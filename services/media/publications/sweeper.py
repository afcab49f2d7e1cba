"""Looks, again and again beside the server, for what a crash left half done and for what waits."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from opentelemetry.instrumentation.utils import suppress_instrumentation

from servicekit.background import in_background
from servicekit.clock import Clock
from servicekit.errors import LiaisonError
from services.media.publications import metrics
from services.media.publications.handlers import PublicationHandlers
from services.media.publications.store import PostgresPublicationStore

log = structlog.get_logger()

_INTERVAL_SECONDS = 10.0


@asynccontextmanager
async def sweeping(
    publications: PublicationHandlers, store: PostgresPublicationStore, clock: Clock
) -> AsyncIterator[None]:
    """Sweeps for as long as the block runs. Several servers may: a sweep may be repeated."""
    async with in_background(_sweep_forever(publications, store, clock)):
        yield


async def _sweep_forever(
    publications: PublicationHandlers, store: PostgresPublicationStore, clock: Clock
) -> None:
    while True:
        with suppress_instrumentation():  # a trace every few seconds would hide the others
            await _sweep(publications, store, clock)
        await asyncio.sleep(_INTERVAL_SECONDS)


async def _sweep(
    publications: PublicationHandlers, store: PostgresPublicationStore, clock: Clock
) -> None:
    try:
        # What waits is measured first: it waits the longer when no workflow can be started.
        metrics.on_their_way(await store.pending(), clock())
        while count := await publications.start_missing_runs():
            log.warning("started_missing_publications", count=count)
    except LiaisonError as error:
        log.warning("publication_sweep_failed", reason=error.reason)
    except Exception:  # a mistake of ours must not end the sweep for good
        log.exception("publication_sweep_failed")
