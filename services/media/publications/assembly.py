"""Assembles the publication service for the media process: wiring, and the sweep beside it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import structlog

from servicekit.background import run_periodically
from servicekit.clock import utc_now
from servicekit.postgres.database import Database
from servicekit.rpc.server import Service
from services.media.articles.drafts.store import DraftStore
from services.media.articles.revisions.handlers import RevisionHandlers
from services.media.articles.revisions.store import RevisionStore
from services.media.levels import Levels
from services.media.publications import metrics
from services.media.publications.accepted_media import AcceptedMedia
from services.media.publications.delivery import Delivery, Feed, PublicFiles, SocialGateway
from services.media.publications.handlers import PublicationHandlers, PublicationPolicy
from services.media.publications.placements.handlers import PlacementHandlers
from services.media.publications.placements.store import PlacementStore
from services.media.publications.servicer import service
from services.media.publications.store import PublicationStore
from services.media.publications.workflows import PublicationWorkflowStarter
from services.media.settings import MediaSettings
from services.media.uploads.store import MediaStore
from workflows.temporal.client import Workflows

log = structlog.get_logger()

_SWEEP_SECONDS = 10.0


@dataclass(frozen=True)
class Dependencies:
    """What the process gives to publications. `gateway` is None without social networks."""

    database: Database
    files: PublicFiles
    feed: Feed
    gateway: SocialGateway | None
    sealing: RevisionHandlers
    levels: Levels


@asynccontextmanager
async def publication_service(
    settings: MediaSettings, dependencies: Dependencies
) -> AsyncIterator[Service]:
    """The service; the sweep runs for as long as the block does."""
    database = dependencies.database
    publications, revisions = PublicationStore(database), RevisionStore(database)
    delivery = Delivery(
        publications.get,
        revisions.get,
        AcceptedMedia(MediaStore(database)).uploads,
        dependencies.files,
        dependencies.feed,
        dependencies.gateway,
    )
    handlers = PublicationHandlers(
        publications,
        DraftStore(database),
        revisions,
        dependencies.sealing,
        dependencies.levels,
        delivery,
        PublicationWorkflowStarter(Workflows(settings)).start,
        PublicationPolicy(
            settings.media_publication_window, frozenset(settings.media_repost_levels)
        ),
        utc_now,
    )
    placements = PlacementHandlers(
        PlacementStore(database), publications.lock, settings.media_placement_slots, utc_now
    )
    async with run_periodically(
        "sweep_publications",
        lambda: _sweep(handlers, publications),
        interval_seconds=_SWEEP_SECONDS,
    ):
        yield service(handlers, placements)


async def _sweep(handlers: PublicationHandlers, publications: PublicationStore) -> None:
    """Measures pending publications and starts the workflows that a crash left unstarted. Several
    servers may sweep at the same time."""
    # Measured first: publications wait longest when no workflow can be started.
    metrics.record_pending(await publications.pending(), utc_now())
    while count := await handlers.start_missing_workflows():
        log.warning("publication_workflows_started", count=count)
