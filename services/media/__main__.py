"""The media process: wiring only."""

from contextlib import AsyncExitStack
from functools import partial

import httpx
from liaison.creators.v1.creators_pb2_grpc import CreatorServiceStub
from liaison.tasks.v1.assignments_pb2_grpc import AssignmentServiceStub
from liaison.tasks.v1.tasks_pb2_grpc import TaskServiceStub

from servicekit.background import run_periodically, run_until_done
from servicekit.clock import utc_now
from servicekit.postgres.database import Database
from servicekit.postgres.migrator import migrate_on_start
from servicekit.process import hide_memory, run
from servicekit.rpc.client import service_channel
from servicekit.rpc.server import GrpcServer
from servicekit.s3.object_store import ObjectStore
from servicekit.telemetry import telemetry
from services.media.articles.catalogue.client import CatalogueClient, http_client
from services.media.articles.clients import AssignmentClient
from services.media.articles.drafts.handlers import DraftHandlers
from services.media.articles.drafts.store import DraftStore
from services.media.articles.quotas.rules import ArticleQuota
from services.media.articles.revisions.handlers import RevisionHandlers
from services.media.articles.revisions.store import RevisionStore
from services.media.articles.servicer import service as article_service
from services.media.articles.validation.validator import ArticleValidator
from services.media.clients import CreatorLevelClient
from services.media.domain import Buckets
from services.media.images.pool import DecoderPool
from services.media.images.text_detection import TextDetector
from services.media.levels import Levels
from services.media.publications.assembly import Dependencies, publication_service
from services.media.publications.feed.store import BucketFeed, BucketFiles
from services.media.publications.social.client import SocialGatewayClient
from services.media.sandbox.confinement import Confinement
from services.media.settings import MediaSettings
from services.media.uploads.handlers import MediaHandlers
from services.media.uploads.image_validator import ImageValidator
from services.media.uploads.quotas import Quota
from services.media.uploads.servicer import service
from services.media.uploads.store import MediaStore
from services.media.uploads.video_validator import VideoValidator
from services.media.videos.pool import ProberPool
from services.media.videos.rules import Client, VideoLimits


async def main() -> None:
    hide_memory()
    settings = MediaSettings()  # type: ignore[call-arg]  # the environment fills it
    with telemetry(settings):
        async with AsyncExitStack() as stack:
            database = await stack.enter_async_context(Database.from_settings(settings))
            objects = await stack.enter_async_context(ObjectStore(settings))
            http = await stack.enter_async_context(http_client())
            creators = await stack.enter_async_context(
                service_channel(settings, settings.creators_address)
            )
            await migrate_on_start(database, settings, "services.media")
            levels = CreatorLevelClient(CreatorServiceStub(creators))
            media = await _media(settings, stack, database, objects, levels)
            drafts, revisions = await _articles(settings, stack, database, http, levels, media)
            public = settings.media_public_bucket
            dependencies = Dependencies(
                database,
                BucketFiles(objects, settings.media_accepted_bucket, public),
                BucketFeed(objects, public, http),
                _social_gateway(settings, http),
                revisions,
                levels,
            )
            publications = await stack.enter_async_context(
                publication_service(settings, dependencies)
            )
            for name, sweep in (("sweep_media", media.sweep), ("sweep_articles", drafts.sweep)):
                await stack.enter_async_context(
                    run_periodically(
                        name,
                        partial(run_until_done, sweep),
                        interval_seconds=settings.media_sweep_interval_seconds,
                    )
                )
            await GrpcServer(
                settings,
                [service(media), article_service(drafts, revisions), publications],
                database,
            ).serve_until_stopped()


async def _media(
    settings: MediaSettings,
    stack: AsyncExitStack,
    database: Database,
    objects: ObjectStore,
    levels: Levels,
) -> MediaHandlers:
    decoders = await stack.enter_async_context(_decoders(settings))
    probers = await stack.enter_async_context(_probers(settings))
    detect_text = None
    if settings.media_text_detection:
        detect_text = (await stack.enter_async_context(_text_detector(settings))).has_text
    store = MediaStore(database)
    buckets = Buckets(settings.media_quarantine_bucket, settings.media_accepted_bucket)
    maximum_bytes, video_limits = settings.media_image_maximum_bytes, _video_limits(settings)
    return MediaHandlers(
        store,
        objects,
        ImageValidator(objects, decoders.decode, store.find_resembled, buckets, maximum_bytes),
        VideoValidator(objects, probers.probe, decoders.decode, buckets, video_limits, levels),
        buckets,
        Quota(
            settings.media_quota_open_uploads,
            settings.media_quota_uploads_an_hour,
            settings.media_quota_bytes_a_month,
        ),
        utc_now,
        detect_text,
    )


async def _articles(
    settings: MediaSettings,
    stack: AsyncExitStack,
    database: Database,
    http: httpx.AsyncClient,
    levels: Levels,
    media: MediaHandlers,
) -> tuple[DraftHandlers, RevisionHandlers]:
    tasks = await stack.enter_async_context(service_channel(settings, settings.tasks_address))
    assignments = AssignmentClient(AssignmentServiceStub(tasks), TaskServiceStub(tasks))
    catalogue = CatalogueClient(settings.media_catalogue_url, http)
    validator = ArticleValidator(
        MediaStore(database).list_by_id, catalogue, levels, settings.media_kinds_with_banner
    )
    quota = ArticleQuota(settings.media_quota_drafts_kept, settings.media_quota_article_bytes)
    drafts = DraftStore(database)
    return (
        DraftHandlers(drafts, assignments, validator, catalogue, quota, utc_now),
        RevisionHandlers(
            RevisionStore(database), drafts, validator, media.require_stored, quota, utc_now
        ),
    )


def _social_gateway(settings: MediaSettings, http: httpx.AsyncClient) -> SocialGatewayClient | None:
    if settings.media_repost_url is None:
        return None
    token = settings.media_repost_token.get_secret_value()
    return SocialGatewayClient(http, settings.media_repost_url, token)


def _decoders(settings: MediaSettings) -> DecoderPool:
    confinement = Confinement(
        settings.media_decoder_memory_bytes,
        settings.media_decoder_cpu_seconds,
        settings.media_decoder_wall_seconds,
    )
    return DecoderPool(confinement, size=settings.media_decoder_processes)


def _probers(settings: MediaSettings) -> ProberPool:
    confinement = Confinement(
        settings.media_prober_memory_bytes,
        settings.media_prober_cpu_seconds,
        settings.media_prober_wall_seconds,
    )
    return ProberPool(confinement, size=settings.media_prober_processes)


def _text_detector(settings: MediaSettings) -> TextDetector:
    confinement = Confinement(
        settings.media_text_reader_memory_bytes,
        settings.media_text_reader_cpu_seconds,
        settings.media_text_reader_wall_seconds,
    )
    return TextDetector(confinement)


def _video_limits(settings: MediaSettings) -> dict[Client, VideoLimits]:
    return {
        Client.DESKTOP: VideoLimits(
            settings.media_video_desktop_maximum_bytes,
            settings.media_video_desktop_maximum_seconds,
        ),
        Client.APP: VideoLimits(
            settings.media_video_app_maximum_bytes, settings.media_video_app_maximum_seconds
        ),
    }


if __name__ == "__main__":
    run(main())
