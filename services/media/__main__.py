"""The media process: wiring only."""

from contextlib import AsyncExitStack

import httpx
from liaison.creators.v1.creators_pb2_grpc import CreatorServiceStub
from liaison.tasks.v1.assignments_pb2_grpc import AssignmentServiceStub
from liaison.tasks.v1.tasks_pb2_grpc import TaskServiceStub

from servicekit.clock import utc_now
from servicekit.database import Database
from servicekit.grpc_client import service_channel
from servicekit.grpc_server import GrpcServer
from servicekit.object_store import ObjectStore
from servicekit.process import run
from servicekit.telemetry import telemetry
from services.media.articles.catalogue import HttpCatalogue, http_client
from services.media.articles.clients import GrpcAssignments
from services.media.articles.examination import Examiner
from services.media.articles.handlers import ArticleHandlers
from services.media.articles.servicer import service as article_service
from services.media.articles.store import PostgresArticleStore
from services.media.creators import GrpcCreatorLevels
from services.media.decoder_pool import Confinement, DecoderPool
from services.media.handlers import Buckets, MediaHandlers
from services.media.publications.delivery import ReaderDelivery
from services.media.publications.feed import BucketFeed, BucketFiles
from services.media.publications.handlers import Promises, PublicationHandlers
from services.media.publications.placement_store import PostgresPlacementStore
from services.media.publications.placements import PlacementHandlers
from services.media.publications.runs import TemporalPublicationRuns
from services.media.publications.servicer import service as publication_service
from services.media.publications.shelf import AcceptedMedia
from services.media.publications.social import HttpSocialGateway
from services.media.publications.store import PostgresPublicationStore
from services.media.publications.sweeper import sweeping as sweeping_publications
from services.media.quotas import Quota
from services.media.servicer import service
from services.media.settings import MediaSettings
from services.media.store import PostgresMediaStore
from services.media.sweeper import sweeping
from workflows.client import Workflows


async def main() -> None:
    settings = MediaSettings()  # type: ignore[call-arg]  # the environment fills it
    confinement = Confinement(
        settings.media_decoder_memory_bytes,
        settings.media_decoder_cpu_seconds,
        settings.media_decoder_wall_seconds,
    )
    with telemetry(settings):
        async with AsyncExitStack() as stack:
            database = await stack.enter_async_context(
                Database(
                    settings.database_url.get_secret_value(),
                    pool_size=settings.database_pool_size,
                )
            )
            objects = await stack.enter_async_context(ObjectStore(settings))
            decoders = await stack.enter_async_context(
                DecoderPool(confinement, size=settings.media_decoder_processes)
            )
            creators = await stack.enter_async_context(
                service_channel(settings, settings.creators_address)
            )
            tasks = await stack.enter_async_context(
                service_channel(settings, settings.tasks_address)
            )
            http = await stack.enter_async_context(http_client())
            await database.migrate("services.media")
            store = PostgresMediaStore(database)
            media = MediaHandlers(
                store,
                objects,
                decoders,
                Buckets(settings.media_quarantine_bucket, settings.media_accepted_bucket),
                settings.media_image_maximum_bytes,
                Quota(
                    settings.media_quota_open_uploads,
                    settings.media_quota_uploads_an_hour,
                    settings.media_quota_bytes_kept,
                ),
                utc_now,
            )
            catalogue = HttpCatalogue(settings.media_catalogue_url, http)
            levels = GrpcCreatorLevels(CreatorServiceStub(creators))
            kept = PostgresArticleStore(database)
            articles = ArticleHandlers(
                kept,
                GrpcAssignments(AssignmentServiceStub(tasks), TaskServiceStub(tasks)),
                Examiner(store, catalogue, levels, settings.media_kinds_with_banner),
                catalogue,
                media,
                utc_now,
            )
            published = PostgresPublicationStore(database)
            publications = PublicationHandlers(
                published,
                kept,
                articles,
                levels,
                ReaderDelivery(
                    published,
                    kept,
                    AcceptedMedia(store),
                    BucketFiles(
                        objects, settings.media_accepted_bucket, settings.media_public_bucket
                    ),
                    BucketFeed(objects, settings.media_public_bucket, http),
                    _gateway(settings, http),
                ),
                TemporalPublicationRuns(Workflows(settings)),
                Promises(
                    settings.media_publication_window, frozenset(settings.media_repost_levels)
                ),
                utc_now,
            )
            placements = PlacementHandlers(
                PostgresPlacementStore(database),
                published,
                settings.media_placement_slots,
                utc_now,
            )
            services = [
                service(media),
                article_service(articles),
                publication_service(publications, placements),
            ]
            async with (
                sweeping(media, settings.media_sweep_interval_seconds),
                sweeping_publications(publications, published, utc_now),
            ):
                await GrpcServer(settings, services, database).serve_until_told()


def _gateway(settings: MediaSettings, http: httpx.AsyncClient) -> HttpSocialGateway | None:
    if settings.media_repost_url is None:
        return None
    token = settings.media_repost_token.get_secret_value()
    return HttpSocialGateway(http, settings.media_repost_url, token)


if __name__ == "__main__":
    run(main())
