"""One image, from bytes at hand to a verdict and the copies to keep. Nothing is stored here."""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

from services.media.domain import Accepted, StoredImage
from services.media.images.pool import DecoderPool
from services.media.images.rules import (
    RENDITION_SIDES,
    Limits,
    Rejection,
    RenditionKind,
    rejections,
)
from services.media.sandbox.frames import Report


@dataclass(frozen=True)
class Examination:
    """`accepted` is there when there is no reason to reject, and then `contents` are the bytes of
    it and of its renditions."""

    report: Report
    rejections: tuple[Rejection, ...]
    accepted: Accepted | None = None
    contents: tuple[tuple[StoredImage, bytes], ...] = ()


async def examine(
    decoders: DecoderPool, limits: Limits, content: bytes, size_bytes: int | None = None
) -> Examination:
    """Where `content` is but the beginning of too many bytes, `size_bytes` tells how many.

    Raises:
        Unavailable: there is no time for it at present.
    """
    size_bytes = len(content) if size_bytes is None else size_bytes
    # It is rejected, whatever its end is: the header tells what else is wrong.
    is_header_only = size_bytes > limits.maximum_bytes
    order = replace(limits.order, is_header_only=is_header_only)
    report, copies = await decoders.inspect(content, order)
    if found := rejections(limits, size_bytes, report):
        return Examination(report, found)
    images = await images_of(report, copies)
    accepted = Accepted(
        **asdict(images[0]), renditions=renditions_of(report, images), dhash=report.dhash
    )
    return Examination(report, (), accepted, tuple(zip(images, copies, strict=True)))


async def images_of(report: Report, copies: Sequence[bytes]) -> list[StoredImage]:
    """The decoder may have been taken over: what an address follows from is what it sent."""
    digests = await asyncio.to_thread(lambda: [sha256_of(copy) for copy in copies])
    return [
        StoredImage(copy.size_bytes, digest, copy.format.content_type, copy.width, copy.height)
        for copy, digest in zip(report.copies, digests, strict=True)
    ]


def renditions_of(
    report: Report, images: Sequence[StoredImage]
) -> dict[RenditionKind, StoredImage]:
    """What fits already is its own rendition."""
    by_side = {copy.fit_within: one for copy, one in zip(report.copies, images, strict=True)}
    return {kind: by_side.get(side, images[0]) for kind, side in RENDITION_SIDES.items()}


def sha256_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
