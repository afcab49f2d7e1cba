"""Validates an uploaded video and stores it with renditions of its poster frame.

The video is kept as it is, with any location and device metadata in it: removing that means to
rewrite the container, for which the whole video would pass through a confined process, twice where
the index comes first. It is streamed from bucket to bucket instead; no process holds a whole video.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from functools import partial

from servicekit.errors import invalid_fields
from servicekit.s3.objects import HashMismatch, ObjectChanged, ObjectStorage
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
from services.media.images.rules import Rejection, RenditionKind
from services.media.levels import Levels
from services.media.uploads.image_validator import Decode, images_of, renditions_of
from services.media.videos.headers import (
    CONTENT_TYPES,
    HEAD_BYTES,
    container_of,
    description_of_file,
)
from services.media.videos.messages import ProbeReport, ProbeRequest
from services.media.videos.pool import ReadRange
from services.media.videos.rules import (
    POSTER_REQUEST,
    LimitsByClient,
    probe_request,
    rejections,
    require_video_level,
    unsupported,
    without_picture,
)

# `services.media.videos.pool.ProberPool.probe`.
Probe = Callable[[ReadRange, ProbeRequest], Awaitable[tuple[ProbeReport, bytes]]]

# Of a rejected video, in memory while it is hashed.
_HASHED_BYTES = 4 * 1024 * 1024
# Each occupies a thread of the object store while its video is copied.
_CONCURRENT_VALIDATIONS = 2


class VideoValidator:
    def __init__(
        self,
        objects: ObjectStorage,
        probe: Probe,
        decode: Decode,
        buckets: Buckets,
        limits: LimitsByClient,
        levels: Levels,
    ) -> None:
        self._objects = objects
        self._probe = probe
        self._decode = decode
        self._buckets = buckets
        self._limits = limits
        self._levels = levels
        self._slots = asyncio.Semaphore(_CONCURRENT_VALIDATIONS)

    async def validate_announced(self, creator_id: str, announced: Announced) -> None:
        """Validates what is known before the upload.

        Raises:
            InvalidArgument: no such video is accepted.
            FailedPrecondition: this creator may not upload videos (R87).
        """
        if found := video_violations(self._limits, announced):
            raise invalid_fields(*found)
        require_video_level(creator_id, await self._levels.level(creator_id))

    async def validate(self, media: MediaObject) -> MediaObject | None:
        """Validates the object in quarantine and returns `media` with its verdict; if accepted, the
        video and its renditions are in storage. None if quarantine has no such object (any more).

        Raises:
            FailedPrecondition: the bytes are not those that were announced.
        """
        async with self._slots:
            stored = await self._objects.stat(self._buckets.quarantine, media.quarantine_key)
            if stored is None:
                return None
            if stored.size_bytes != media.announced.size_bytes:
                raise incomplete(media, f"there are {stored.size_bytes:,} bytes of it")
            try:
                return await self._validate(media, stored.etag)
            except ObjectChanged:
                return None
            except HashMismatch:
                raise incomplete(media, "the bytes are not those that were announced") from None

    async def _validate(self, media: MediaObject, etag: str) -> MediaObject:
        announced = media.announced
        if announced.client is None or announced.sha256 is None:
            raise AssertionError("a video is announced with its client and its hash")
        read = partial(
            self._objects.read_range, self._buckets.quarantine, media.quarantine_key, etag=etag
        )
        head = await read(0, min(HEAD_BYTES, announced.size_bytes))
        container = container_of(head)
        if container is None:
            return await self._reject(media, read, unsupported(description_of_file(head)))
        report, frame = await self._probe(read, probe_request(container, announced.size_bytes))
        found = rejections(self._limits, announced.client, announced.size_bytes, container, report)
        if found:
            return await self._reject(media, read, found)
        renditions = await self._store_renditions(frame)
        if not renditions:
            return await self._reject(media, read, (without_picture(container),))
        accepted = Accepted(
            size_bytes=announced.size_bytes,
            sha256=announced.sha256,
            content_type=CONTENT_TYPES[container],
            width=report.width,
            height=report.height,
            renditions=renditions,
            duration=timedelta(seconds=report.duration_seconds),
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

    async def _store_renditions(self, frame: bytes) -> Mapping[RenditionKind, StoredImage]:
        """Renditions of the poster frame, which is decoded as an untrusted image; empty if it
        cannot be."""
        report, copies = await self._decode(frame, POSTER_REQUEST)
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
        """Rejects the announced bytes.

        Raises:
            HashMismatch: these are others, which get no verdict.
        """
        digest = hashlib.sha256()
        for offset in range(0, media.announced.size_bytes, _HASHED_BYTES):
            content = await read(offset, _HASHED_BYTES)
            await asyncio.to_thread(digest.update, content)
        if digest.hexdigest() != media.announced.sha256:
            raise HashMismatch
        return reject(media, found)
