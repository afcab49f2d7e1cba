"""Validates an uploaded image and stores its sanitised copies.

`validate_image` alone gives a verdict on bytes and stores nothing: `liaison media validate` and the
benchmark use it, too.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass, replace

from servicekit.errors import invalid_fields
from servicekit.s3.objects import ObjectStorage, TooManyBytes
from services.media.domain import (
    Accepted,
    Announced,
    Buckets,
    MediaObject,
    StoredImage,
    accept,
    image_violations,
    incomplete,
    reject,
)
from services.media.images.messages import DecodeReport, DecodeRequest
from services.media.images.rules import (
    RENDITION_SIDES,
    Limits,
    Purpose,
    Rejection,
    RenditionKind,
    limits_of,
    rejections,
)

# `services.media.images.pool.DecoderPool.decode`.
Decode = Callable[[bytes, DecodeRequest], Awaitable[tuple[DecodeReport, list[bytes]]]]
# `services.media.uploads.store.MediaStore.find_resembled`: by perceptual hash and owner.
FindResembled = Callable[[int, str], Awaitable[str | None]]

# Each holds its bytes in memory while it waits for a decoder.
_CONCURRENT_VALIDATIONS = 8


@dataclass(frozen=True)
class ImageVerdict:
    """Without `rejections` there is `accepted`, and `contents` are the bytes of it and of its
    renditions."""

    report: DecodeReport
    rejections: tuple[Rejection, ...]
    accepted: Accepted | None = None
    contents: tuple[tuple[StoredImage, bytes], ...] = ()


class ImageValidator:
    def __init__(
        self,
        objects: ObjectStorage,
        decode: Decode,
        find_resembled: FindResembled,
        buckets: Buckets,
        maximum_bytes: int,
    ) -> None:
        """`maximum_bytes` is that of images in an article's body."""
        self._objects = objects
        self._decode = decode
        self._find_resembled = find_resembled
        self._buckets = buckets
        self._maximum_bytes = maximum_bytes
        self._slots = asyncio.Semaphore(_CONCURRENT_VALIDATIONS)

    def validate_announced(self, purpose: Purpose, announced: Announced) -> None:
        """Validates what is known before the upload.

        Raises:
            InvalidArgument: no such image is accepted.
        """
        if found := image_violations(self._limits(purpose), announced):
            raise invalid_fields(*found)

    async def validate(self, media: MediaObject) -> MediaObject | None:
        """Validates the bytes in quarantine and returns `media` with its verdict; if accepted, its
        copies are in storage. None if quarantine has no such object (any more).

        Raises:
            FailedPrecondition: the bytes are not those that were announced.
        """
        async with self._slots:
            content = await self._read_announced(media)
            return None if content is None else await self._validate(media, content)

    def _limits(self, purpose: Purpose) -> Limits:
        return limits_of(purpose, self._maximum_bytes)

    async def _read_announced(self, media: MediaObject) -> bytes | None:
        try:
            content = await self._objects.read(
                self._buckets.quarantine,
                media.quarantine_key,
                maximum_bytes=media.announced.size_bytes,
            )
        except TooManyBytes:
            raise incomplete(media, "there are more bytes than were announced") from None
        if content is None or media.announced.sha256 is None:
            return content
        if len(content) != media.announced.size_bytes:
            raise incomplete(media, "there are fewer bytes than were announced")
        # In a thread: hashing 25 MB would delay every other call.
        if await asyncio.to_thread(sha256_of, content) != media.announced.sha256:
            raise incomplete(media, "the bytes are not those that were announced")
        return content

    async def _validate(self, media: MediaObject, content: bytes) -> MediaObject:
        verdict = await validate_image(self._decode, self._limits(media.purpose), content)
        if verdict.accepted is None:
            return reject(media, verdict.rejections)
        for stored, copy in verdict.contents:
            await self._objects.put_immutable(
                self._buckets.accepted, stored.key, copy, content_type=stored.content_type
            )
        dhash = verdict.accepted.dhash
        resembled = None if dhash is None else await self._find_resembled(dhash, media.owner)
        return accept(media, verdict.accepted, resembled)


async def validate_image(
    decode: Decode, limits: Limits, content: bytes, size_bytes: int | None = None
) -> ImageVerdict:
    """The verdict on `content`. `size_bytes` is the length of the file where `content` is only the
    beginning of a file that is too long.

    Raises:
        Unavailable: the decoder exceeded its wall time, as happens on a busy machine.
    """
    size_bytes = len(content) if size_bytes is None else size_bytes
    # A file that is too long is rejected anyway: its header shows what else is wrong.
    is_header_only = size_bytes > limits.maximum_bytes
    request = replace(limits.decode_request, is_header_only=is_header_only)
    report, copies = await decode(content, request)
    if found := rejections(limits, size_bytes, report):
        return ImageVerdict(report, found)
    images = await images_of(report, copies)
    accepted = Accepted(
        **asdict(images[0]), renditions=renditions_of(report, images), dhash=report.dhash
    )
    return ImageVerdict(report, (), accepted, tuple(zip(images, copies, strict=True)))


async def images_of(report: DecodeReport, copies: Sequence[bytes]) -> list[StoredImage]:
    """The copies as they will be stored. Hashed here, since the decoder may have been taken over:
    keys must follow from the bytes that it sent."""
    digests = await asyncio.to_thread(lambda: [sha256_of(copy) for copy in copies])
    return [
        StoredImage(copy.size_bytes, digest, copy.format.content_type, copy.width, copy.height)
        for copy, digest in zip(report.copies, digests, strict=True)
    ]


def renditions_of(
    report: DecodeReport, images: Sequence[StoredImage]
) -> dict[RenditionKind, StoredImage]:
    """An image that fits already is its own rendition."""
    by_side = {copy.fit_within: one for copy, one in zip(report.copies, images, strict=True)}
    return {kind: by_side.get(side, images[0]) for kind, side in RENDITION_SIDES.items()}


def sha256_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
