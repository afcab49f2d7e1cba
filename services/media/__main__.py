"""The media process: wiring only."""

from contextlib import AsyncExitStack

from liaison.creators.v1.creators_pb2_grpc import CreatorServiceStub

from servicekit.clock import utc_now
from servicekit.database import Database
from servicekit.grpc_client import service_channel
from servicekit.grpc_server import GrpcServer
from servicekit.object_store import ObjectStore
from servicekit.process import run
from servicekit.telemetry import telemetry
from services.media.clients import GrpcCreatorDirectory
from services.media.confinement import Confinement
from services.media.decoder_pool import DecoderPool
from services.media.domain import Buckets
from services.media.handlers import MediaHandlers
from services.media.quotas import Quota
from services.media.servicer import service
from services.media.settings import MediaSettings
from services.media.store import PostgresMediaStore
from services.media.sweeper import sweeping
from services.media.video_judging import VideoJudge
from services.media.video_probing import ProberPool
from services.media.videos import Client, VideoLimits


async def main() -> None:
    settings = MediaSettings()  # type: ignore[call-arg]  # the environment fills it
    buckets = Buckets(settings.media_quarantine_bucket, settings.media_accepted_bucket)
    with telemetry(settings):
        async with AsyncExitStack() as stack:
            database = await stack.enter_async_context(
                Database(
                    settings.database_url.get_secret_value(), pool_size=settings.database_pool_size
                )
            )
            objects = await stack.enter_async_context(ObjectStore(settings))
            decoders = await stack.enter_async_context(_decoders(settings))
            probers = await stack.enter_async_context(_probers(settings))
            creators = await stack.enter_async_context(
                service_channel(settings, settings.creators_address)
            )
            await database.migrate("services.media")
            videos = VideoJudge(
                objects,
                probers,
                decoders,
                buckets,
                _video_limits(settings),
                GrpcCreatorDirectory(CreatorServiceStub(creators)),
            )
            media = MediaHandlers(
                PostgresMediaStore(database),
                objects,
                decoders,
                videos,
                buckets,
                settings.media_image_maximum_bytes,
                Quota(
                    settings.media_quota_open_uploads,
                    settings.media_quota_uploads_an_hour,
                    settings.media_quota_bytes_kept,
                ),
                utc_now,
            )
            async with sweeping(media, settings.media_sweep_interval_seconds):
                await GrpcServer(settings, [service(media)], database).serve_until_told()


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
