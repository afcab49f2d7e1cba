"""The media service with a real object store and real decoder processes."""

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
from services.media.uploads.image_validator import ImageValidator
from services.media.uploads.quotas import Quota
from services.media.uploads.servicer import service
from services.media.uploads.store import MediaStore
from services.media.uploads.video_validator import VideoValidator
from services.media.videos.pool import ProberPool
from services.media.videos.rules import Client, VideoLimits
from tests.support.databases import Databases
from tests.support.serving import Served, serving

QUARANTINE, ACCEPTED = "media-quarantine", "media-accepted"
BUCKETS = Buckets(QUARANTINE, ACCEPTED)
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


class TopLevel:
    """Every creator has the highest level."""

    async def level(self, creator_id: str) -> str:
        return "STAR"


@pytest.fixture
def levels() -> Levels:
    return TopLevel()


def image_validator(
    objects: ObjectStore, decoders: DecoderPool, store: MediaStore
) -> ImageValidator:
    return ImageValidator(
        objects, decoders.decode, store.find_resembled, BUCKETS, IMAGE_MAXIMUM_BYTES
    )


@dataclass
class Harness:
    """The served handlers and their dependencies, for direct access."""

    handlers: MediaHandlers
    store: MediaStore
    objects: ObjectStore
    decoders: DecoderPool
    videos: VideoValidator
    passed: timedelta = field(default_factory=timedelta)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.passed

    def handlers_with(self, objects: ObjectStore, store: MediaStore | None = None) -> MediaHandlers:
        """Other handlers than the served ones, with failing dependencies."""
        store = store or self.store
        return MediaHandlers(
            store,
            objects,
            image_validator(objects, self.decoders, store),
            self.videos,
            BUCKETS,
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
    store = MediaStore(database)
    videos = VideoValidator(objects, probers.probe, decoders.decode, BUCKETS, VIDEO_LIMITS, levels)
    handlers = MediaHandlers(
        store,
        objects,
        image_validator(objects, decoders, store),
        videos,
        BUCKETS,
        QUOTA,
        lambda: harness.now(),
    )
    harness = Harness(handlers, store, objects, decoders, videos)
    return harness


@pytest.fixture
async def served(access: Access, database: Database, harness: Harness) -> AsyncIterator[Served]:
    async with serving(access, [service(harness.handlers)], database) as served:
        yield served
