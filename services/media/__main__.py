"""The media process: wiring only."""

from contextlib import AsyncExitStack

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
from services.media.publications.assembly import Surroundings, publishing
from services.media.quotas import Quota
from services.media.servicer import service
from services.media.settings import MediaSettings
from services.media.store import PostgresMediaStore
from services.media.sweeper import sweeping


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
            articles = ArticleHandlers(
                PostgresArticleStore(database),
                GrpcAssignments(AssignmentServiceStub(tasks), TaskServiceStub(tasks)),
                Examiner(store, catalogue, levels, settings.media_kinds_with_banner),
                catalogue,
                media,
                utc_now,
            )
            around = Surroundings(database, objects, http, articles, levels)
            publications = await stack.enter_async_context(publishing(settings, around))
            async with sweeping(media, settings.media_sweep_interval_seconds):
                await GrpcServer(
                    settings, [service(media), article_service(articles), publications], database
                ).serve_until_told()


if __name__ == "__main__":
    run(main())
