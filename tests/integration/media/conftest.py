"""The media service on a real S3 and real decoders."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr

from devstack.access import Access
from servicekit.postgres.database import Database
from servicekit.s3.object_store import ObjectStore
from servicekit.settings import ObjectStoreSettings
from services.media.domain import Buckets
from services.media.images.pool import DecoderPool
from services.media.images.rules import IMAGE_MAXIMUM_BYTES
from services.media.levels import Levels
from services.media.sandbox.confinement import Confinement
from services.media.uploads.handlers import MediaHandlers
from services.media.uploads.quotas import Quota
from services.media.uploads.servicer import service
from services.media.uploads.store import PostgresMediaStore
from services.media.uploads.video_validator import VideoJudge
from services.media.videos.pool import ProberPool
from services.media.videos.rules import Client, VideoLimits
from tests.support.databases import Databases
from tests.support.serving import Served, serving

QUARANTINE, ACCEPTED = "media-quarantine", "media-accepted"
VIDEO_LIMITS = {
    Client.DESKTOP: VideoLimits(maximum_bytes=2 * 1024 * 1024, maximum_seconds=20),
    Client.APP: VideoLimits(maximum_bytes=1024 * 1024, maximum_seconds=8),
}
QUOTA = Quota(open_uploads=5, uploads_an_hour=60, bytes_a_month=40 * 1024 * 1024)


@pytest.fixture
def object_store_settings(access: Access) -> ObjectStoreSettings:
    access_key, secret_key = access.object_store_credentials
    return ObjectStoreSettings(
        object_store_endpoint=access.addresses["s3"],
        object_store_access_key=SecretStr(access_key),
        object_store_secret_key=SecretStr(secret_key),
        object_store_tls=False,
    )


@pytest.fixture
async def objects(object_store_settings: ObjectStoreSettings) -> AsyncIterator[ObjectStore]:
    async with ObjectStore(object_store_settings) as objects:
        yield objects


@pytest.fixture
async def decoders() -> AsyncIterator[DecoderPool]:
    confinement = Confinement(memory_bytes=1536 * 1024 * 1024, cpu_seconds=20, wall_seconds=30)
    async with DecoderPool(confinement, size=1) as decoders:
        yield decoders


@pytest.fixture
async def probers() -> AsyncIterator[ProberPool]:
    confinement = Confinement(memory_bytes=1024 * 1024 * 1024, cpu_seconds=20, wall_seconds=30)
    async with ProberPool(confinement) as probers:
        yield probers


class Stars:
    """Everybody's level is the highest."""

    async def level(self, creator_id: str) -> str:
        return "STAR"


@pytest.fixture
def levels() -> Levels:
    return Stars()


@dataclass
class Harness:
    """The parts that a test may want to reach behind the server's back."""

    handlers: MediaHandlers
    store: PostgresMediaStore
    objects: ObjectStore
    decoders: DecoderPool
    videos: VideoJudge
    passed: timedelta = field(default_factory=timedelta)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.passed

    def handlers_with(
        self, objects: ObjectStore, store: PostgresMediaStore | None = None
    ) -> MediaHandlers:
        """Other handlers than those that are served, with parts that fail."""
        return MediaHandlers(
            store or self.store,
            objects,
            self.decoders,
            self.videos,
            Buckets(QUARANTINE, ACCEPTED),
            IMAGE_MAXIMUM_BYTES,
            QUOTA,
            self.now,
        )


@pytest.fixture
async def database(databases: Databases) -> AsyncIterator[Database]:
    async with Database(await databases.fresh("media")) as database:
        yield database


@pytest.fixture
def harness(
    database: Database,
    objects: ObjectStore,
    decoders: DecoderPool,
    probers: ProberPool,
    levels: Levels,
) -> Harness:
    store = PostgresMediaStore(database)
    buckets = Buckets(QUARANTINE, ACCEPTED)
    videos = VideoJudge(objects, probers, decoders, buckets, VIDEO_LIMITS, levels)
    handlers = MediaHandlers(
        store,
        objects,
        decoders,
        videos,
        buckets,
        IMAGE_MAXIMUM_BYTES,
        QUOTA,
        lambda: harness.now(),
    )
    harness = Harness(handlers, store, objects, decoders, videos)
    return harness


@pytest.fixture
async def served(access: Access, database: Database, harness: Harness) -> AsyncIterator[Served]:
    async with serving(access, [service(harness.handlers)], database) as served:
        yield served
