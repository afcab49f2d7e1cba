"""Publications put together, for the media process: wiring only."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
import structlog

from servicekit.background import run_periodically
from servicekit.clock import utc_now
from servicekit.postgres.database import Database
from servicekit.rpc.server import Service
from servicekit.s3.object_store import ObjectStore
from services.media.articles.handlers import ArticleHandlers
from services.media.articles.store import PostgresArticleStore
from services.media.levels import Levels
from services.media.publications import metrics
from services.media.publications.accepted_media import AcceptedMedia
from services.media.publications.delivery import ReaderDelivery
from services.media.publications.feed import BucketFeed, BucketFiles
from services.media.publications.handlers import Promises, PublicationHandlers
from services.media.publications.placement_store import PostgresPlacementStore
from services.media.publications.placements import PlacementHandlers
from services.media.publications.servicer import service
from services.media.publications.social import HttpSocialGateway
from services.media.publications.store import PostgresPublicationStore
from services.media.publications.workflows import TemporalPublicationRuns
from services.media.settings import MediaSettings
from services.media.uploads.store import MediaStore
from workflows.temporal.client import Workflows

log = structlog.get_logger()

_SWEEP_SECONDS = 10.0


@dataclass(frozen=True)
class Surroundings:
    """What publications share with the rest of the process."""

    database: Database
    objects: ObjectStore
    http: httpx.AsyncClient
    articles: ArticleHandlers
    levels: Levels


@asynccontextmanager
async def publishing(settings: MediaSettings, around: Surroundings) -> AsyncIterator[Service]:
    """The service, and the sweep beside it for as long as the block runs."""
    store = PostgresPublicationStore(around.database)
    publications = PublicationHandlers(
        store,
        PostgresArticleStore(around.database),
        around.articles,
        around.levels,
        _delivery(settings, around, store),
        TemporalPublicationRuns(Workflows(settings)),
        Promises(settings.media_publication_window, frozenset(settings.media_repost_levels)),
        utc_now,
    )
    placements = PlacementHandlers(
        PostgresPlacementStore(around.database), store, settings.media_placement_slots, utc_now
    )
    async with run_periodically(
        "sweep_publications",
        lambda: _sweep(publications, store),
        interval_seconds=_SWEEP_SECONDS,
    ):
        yield service(publications, placements)


async def _sweep(publications: PublicationHandlers, store: PostgresPublicationStore) -> None:
    """Measures pending publications and starts the workflows that a crash left unstarted. Several
    servers may sweep at the same time."""
    # Measured first: publications wait longest when no workflow can be started.
    metrics.on_their_way(await store.pending(), utc_now())
    while count := await publications.start_missing_runs():
        log.warning("started_missing_publications", count=count)


def _delivery(
    settings: MediaSettings, around: Surroundings, store: PostgresPublicationStore
) -> ReaderDelivery:
    public = settings.media_public_bucket
    return ReaderDelivery(
        store,
        PostgresArticleStore(around.database),
        AcceptedMedia(MediaStore(around.database)),
        BucketFiles(around.objects, settings.media_accepted_bucket, public),
        BucketFeed(around.objects, public, around.http),
        _gateway(settings, around.http),
    )


def _gateway(settings: MediaSettings, http: httpx.AsyncClient) -> HttpSocialGateway | None:
    if settings.media_repost_url is None:
        return None
    token = settings.media_repost_token.get_secret_value()
    return HttpSocialGateway(http, settings.media_repost_url, token)
