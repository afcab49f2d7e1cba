"""One image, from bytes at hand to a verdict and the copies to keep. Nothing is stored here."""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from services.media.decoder_pool import DecoderPool
from services.media.domain import Accepted, StoredImage
from services.media.frames import Report
from services.media.images import RENDITION_SIDES, Limits, Rejection, rejections


@dataclass(frozen=True)
class Examination:
    """`accepted` is there when there is no reason to reject, and then `contents` are the bytes of
    it and of its renditions."""

    report: Report
    rejections: tuple[Rejection, ...]
    accepted: Accepted | None = None
    contents: tuple[tuple[StoredImage, bytes], ...] = ()


async def examine(decoders: DecoderPool, limits: Limits, content: bytes) -> Examination:
    report, copies = await decoders.inspect(content, limits.order)
    if found := rejections(limits, len(content), report):
        return Examination(report, found)
    # The decoder may have been taken over: what an address follows from is what it sent.
    digests = await asyncio.to_thread(lambda: [sha256_of(copy) for copy in copies])
    images = [
        StoredImage(copy.size_bytes, digest, report.content_type, copy.width, copy.height)
        for copy, digest in zip(report.copies, digests, strict=True)
    ]
    contents = tuple(zip(images, copies, strict=True))
    return Examination(report, (), _accepted(report, images), contents)


def _accepted(report: Report, images: Sequence[StoredImage]) -> Accepted:
    by_side = {copy.fit_within: one for copy, one in zip(report.copies, images, strict=True)}
    clean = images[0]
    # What fits already is its own rendition.
    renditions = {kind: by_side.get(side, clean) for kind, side in RENDITION_SIDES.items()}
    return Accepted(**asdict(clean), renditions=renditions, dhash=report.dhash)


def sha256_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
