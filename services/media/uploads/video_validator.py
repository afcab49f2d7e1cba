"""How an uploaded video is judged, and what is kept of it.

The bytes stay as they are, what their headers tell of place and device included: to leave that out
is to write the container anew, which takes the whole video through a confined process, twice where
the index comes first. They are copied from one bucket to the other as a stream instead, and no
process of ours ever holds a whole video.
"""

import asyncio
import hashlib
from collections.abc import Mapping
from datetime import timedelta
from functools import partial

from servicekit.errors import invalid_fields
from servicekit.s3.object_store import HashMismatch, ObjectChanged, ObjectStore
from services.media.domain import (
    Accepted,
    Announced,
    Buckets,
    MediaObject,
    StoredImage,
    accept,
    incomplete,
    reject,
    video_violations,
)
from services.media.images.pool import DecoderPool
from services.media.images.rules import Rejection, RenditionKind
from services.media.levels import Levels
from services.media.uploads.image_validator import images_of, renditions_of
from services.media.videos.headers import (
    CONTENT_TYPES,
    HEAD_BYTES,
    container_of,
    description_of_file,
)
from services.media.videos.pool import ProberPool, ReadRange
from services.media.videos.rules import (
    POSTER_ORDER,
    LimitsByClient,
    check_level,
    order_of,
    rejections,
    unsupported,
    without_picture,
)

# So much of a rejected video is in memory while it is hashed.
_HASHED_BYTES = 4 * 1024 * 1024
# Each keeps a thread of the object store's busy while it is copied.
_JUDGED_AT_ONCE = 2


class VideoJudge:
    def __init__(
        self,
        objects: ObjectStore,
        probers: ProberPool,
        decoders: DecoderPool,
        buckets: Buckets,
        limits: LimitsByClient,
        levels: Levels,
    ) -> None:
        self._objects = objects
        self._probers = probers
        self._decoders = decoders
        self._buckets = buckets
        self._limits = limits
        self._levels = levels
        self._in_hand = asyncio.Semaphore(_JUDGED_AT_ONCE)

    async def check(self, creator_id: str, announced: Announced) -> None:
        """Whether such a video may come from this creator.

        Raises:
            InvalidArgument: not such a video.
            FailedPrecondition: not from this creator (R87).
        """
        if found := video_violations(self._limits, announced):
            raise invalid_fields(*found)
        check_level(creator_id, await self._levels.level(creator_id))

    async def judged(self, media: MediaObject) -> MediaObject | None:
        """With its verdict, once what it needs is in the accepted bucket; None when nothing is in
        quarantine, any more or yet.

        Raises:
            FailedPrecondition: the bytes are not those that were announced.
        """
        async with self._in_hand:
            stored = await self._objects.stat(self._buckets.quarantine, media.quarantine_key)
            if stored is None:
                return None
            if stored.size_bytes != media.announced.size_bytes:
                raise incomplete(media, f"there are {stored.size_bytes:,} bytes of it")
            try:
                return await self._judged(media, stored.etag)
            except ObjectChanged:
                return None
            except HashMismatch:
                raise incomplete(media, "the bytes are not those that were announced") from None

    async def _judged(self, media: MediaObject, etag: str) -> MediaObject:
        announced = media.announced
        read = partial(
            self._objects.read_range, self._buckets.quarantine, media.quarantine_key, etag=etag
        )
        head = await read(0, min(HEAD_BYTES, announced.size_bytes))
        container = container_of(head)
        if container is None:
            return await self._reject(media, read, unsupported(description_of_file(head)))
        probe, frame = await self._probers.probe(read, order_of(container, announced.size_bytes))
        if announced.client is None or announced.sha256 is None:
            raise AssertionError("a video is announced with its client and its hash")
        found = rejections(self._limits, announced.client, announced.size_bytes, container, probe)
        if found:
            return await self._reject(media, read, found)
        renditions = await self._keep_renditions(frame)
        if not renditions:
            return await self._reject(media, read, (without_picture(container),))
        accepted = Accepted(
            size_bytes=announced.size_bytes,
            sha256=announced.sha256,
            content_type=CONTENT_TYPES[container],
            width=probe.width,
            height=probe.height,
            renditions=renditions,
            duration=timedelta(seconds=probe.duration_seconds),
        )
        await self._promote(media, etag, accepted)
        return accept(media, accepted)

    async def _promote(self, media: MediaObject, etag: str, accepted: Accepted) -> None:
        await self._objects.promote(
            self._buckets.quarantine,
            media.quarantine_key,
            etag,
            self._buckets.accepted,
            accepted.key,
            sha256=accepted.sha256,
            content_type=accepted.content_type,
        )

    async def _keep_renditions(self, frame: bytes) -> Mapping[RenditionKind, StoredImage]:
        """Of the poster frame, which is handled as any image that a stranger sent; none when it is
        no picture."""
        report, copies = await self._decoders.inspect(frame, POSTER_ORDER)
        if not copies:
            return {}
        images = await images_of(report, copies)
        for image, content in zip(images, copies, strict=True):
            await self._objects.put_immutable(
                self._buckets.accepted, image.key, content, content_type=image.content_type
            )
        return renditions_of(report, images)

    async def _reject(
        self, media: MediaObject, read: ReadRange, found: tuple[Rejection, ...]
    ) -> MediaObject:
        """Other bytes than those that were announced get no verdict.

        Raises:
            HashMismatch: these are others.
        """
        digest = hashlib.sha256()
        for offset in range(0, media.announced.size_bytes, _HASHED_BYTES):
            content = await read(offset, _HASHED_BYTES)
            await asyncio.to_thread(digest.update, content)
        if digest.hexdigest() != media.announced.sha256:
            raise HashMismatch
        return reject(media, found)
