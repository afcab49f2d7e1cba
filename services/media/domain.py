"""Media objects, from the upload to the accepted object. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from servicekit.errors import FailedPrecondition, Reason, Violation
from services.media.images.rules import (
    CONTENT_TYPES,
    Limits,
    Purpose,
    Rejection,
    RenditionKind,
    too_many_bytes,
)
from services.media.videos import rules as videos
from services.media.videos.rules import Client, LimitsByClient

# After this an unfinished upload is treated as absent.
UPLOAD_LIFETIME = timedelta(hours=24)
# Presigned URLs are bearer secrets: long enough for a slow connection, and renewed on request.
URL_LIFETIME = timedelta(minutes=15)
# Includes waiting for other validations. After this, validation is cancelled; it may be requested
# again.
VALIDATION_TIMEOUT = timedelta(minutes=30)
# From an upload's expiry to its sweep. By then a finalization that began before the expiry has
# ended and the last presigned URL has expired, even if servers' clocks differ.
SWEEP_DELAY = timedelta(hours=1)

_SECOND = timedelta(seconds=1)
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Buckets:
    """Names of buckets. Clients write to quarantine and the service reads it; the service writes to
    accepted and clients read it."""

    quarantine: str
    accepted: str


class State(StrEnum):
    PENDING = "PENDING"
    ACCEPTED = "ACCEPTED"
    REJECTED = "REJECTED"


@dataclass(frozen=True)
class Announced:
    """What a creator says of the bytes before uploading them. Without `sha256` they may be any, of
    at most `size_bytes`."""

    size_bytes: int
    sha256: str | None
    content_type: str
    client: Client | None = None


@dataclass(frozen=True)
class StoredImage:
    """An object in the accepted bucket."""

    size_bytes: int
    sha256: str
    content_type: str
    width: int
    height: int

    @property
    def key(self) -> str:
        """The object's key, its content address."""
        return f"sha256/{self.sha256}"


@dataclass(frozen=True)
class Accepted(StoredImage):
    """The accepted object and its renditions: the object itself where it is small enough. Objects
    that were accepted before renditions were made have none.

    `dhash` is the image's perceptual hash, 64 bits; None for an image with too little contrast. A
    video has no `dhash`, but a `duration`, and renditions of its poster frame.
    """

    renditions: Mapping[RenditionKind, StoredImage] = field(default_factory=dict)
    dhash: int | None = None
    duration: timedelta | None = None


@dataclass(frozen=True)
class MediaObject:
    """An upload and the media object that it becomes, under one `id`. `accepted` is set in state
    ACCEPTED only."""

    id: str
    owner: str
    purpose: Purpose
    announced: Announced
    create_time: datetime
    expire_time: datetime
    state: State = State.PENDING
    rejections: tuple[Rejection, ...] = ()
    accepted: Accepted | None = None
    # Id of an accepted image of another creator that this one resembles: a hint.
    resembled: str | None = None
    # Whether a banner has text in it (R65); None if unknown.
    has_text: bool | None = None

    @property
    def quarantine_key(self) -> str:
        return f"uploads/{self.id}"

    @property
    def sweep_time(self) -> datetime:
        return self.expire_time + SWEEP_DELAY

    def is_expired(self, now: datetime) -> bool:
        return self.state is State.PENDING and self.expire_time <= now

    def url_lifetime(self, now: datetime) -> timedelta:
        """Lifetime of a presigned upload URL, in whole seconds; zero once there is a verdict or the
        upload has expired."""
        if self.state is not State.PENDING:
            return timedelta()
        left = (self.expire_time - now) // _SECOND * _SECOND
        return max(timedelta(), min(URL_LIFETIME, left))


def image_violations(limits: Limits, announced: Announced) -> list[Violation]:
    """Every violation of an image's limits that is known before the upload."""
    found = _of_size(too_many_bytes(limits, announced.size_bytes), limits.bytes_rule, announced)
    found += [] if announced.sha256 is None else _of_sha256(announced.sha256)
    if announced.content_type not in CONTENT_TYPES:
        found.append(Violation("content_type", "R67", "Must be image/jpeg or image/png"))
    if announced.client is not None:
        text = "Must be left out: an image has the same limits on each client"
        found.append(Violation("client", "VIDEO_ONLY", text))
    return found


def video_violations(limits: LimitsByClient, announced: Announced) -> list[Violation]:
    """Every violation of a video's limits that is known before the upload."""
    too_many = videos.too_many_bytes(limits, announced.client, announced.size_bytes)
    found = _of_size(too_many, "R88", announced) + _of_sha256(announced.sha256 or "")
    if announced.content_type not in videos.ACCEPTED_TYPES:
        types = f"{', '.join(videos.ACCEPTED_TYPES[:-1])} or {videos.ACCEPTED_TYPES[-1]}"
        found.append(Violation("content_type", "R88", f"Must be {types}"))
    if announced.client is None:
        found.append(Violation("client", "R88", "Must be the client that the video is made on"))
    return found


def _of_size(too_many: str, rule: str, announced: Announced) -> list[Violation]:
    if announced.size_bytes <= 0:
        return [Violation("size_bytes", "RANGE", "Must be above zero")]
    return [Violation("size_bytes", rule, too_many)] if too_many else []


def _of_sha256(sha256: str) -> list[Violation]:
    if _SHA256.fullmatch(sha256):
        return []
    return [Violation("sha256", "SHA-256", "Must be 64 lower-case hexadecimal digits")]


def incomplete(media: MediaObject, why: str) -> FailedPrecondition:
    return FailedPrecondition(
        Reason.UPLOAD_INCOMPLETE, f"uploads/{media.id} is not complete: {why}"
    )


def accept(media: MediaObject, accepted: Accepted, resembled: str | None = None) -> MediaObject:
    return replace(media, state=State.ACCEPTED, accepted=accepted, resembled=resembled)


def reject(media: MediaObject, rejections: tuple[Rejection, ...]) -> MediaObject:
    return replace(media, state=State.REJECTED, rejections=rejections)
