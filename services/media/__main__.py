"""The media process: wiring only."""

from servicekit.clock import utc_now
from servicekit.database import Database
from servicekit.grpc_server import GrpcServer
from servicekit.object_store import ObjectStore
from servicekit.process import run
from servicekit.telemetry import telemetry
from services.media.decoder_pool import Confinement, DecoderPool
from services.media.handlers import Buckets, MediaHandlers
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
        async with (
            Database(
                settings.database_url.get_secret_value(), pool_size=settings.database_pool_size
            ) as database,
            ObjectStore(settings) as objects,
            DecoderPool(confinement, size=settings.media_decoder_processes) as decoders,
        ):
            await database.migrate("services.media")
            media = MediaHandlers(
                PostgresMediaStore(database),
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
            async with sweeping(media, settings.media_sweep_interval_seconds):
                await GrpcServer(settings, [service(media)], database).serve_until_told()


if __name__ == "__main__":
    run(main())
