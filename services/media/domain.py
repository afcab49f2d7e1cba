"""Media objects, from announced upload to accepted object: pure."""

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

# An upload that is not finished by then is gone.
UPLOAD_LIFETIME = timedelta(hours=24)
# Addresses are bearer secrets: long enough for a slow line, no longer. Who needs longer asks again.
ADDRESS_LIFETIME = timedelta(minutes=15)
# A verdict that takes longer, waiting for others' included, is given up; it may be asked for anew.
JUDGING_LIMIT = timedelta(minutes=30)
# From an upload's expiry to the sweep. A finalization that began before has ended by then, whatever
# the servers' clocks differ by, and so has the last address to write to quarantine.
SWEEP_DELAY = timedelta(hours=1)

_SECOND = timedelta(seconds=1)
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Buckets:
    """Quarantine is written by strangers and read by us; accepted the other way round."""

    quarantine: str
    accepted: str


class State(StrEnum):
    PENDING = "PENDING"
    ACCEPTED = "ACCEPTED"
    REJECTED = "REJECTED"


@dataclass(frozen=True)
class Announced:
    """The bytes that a creator said would come. Without `sha256` they may be any, and fewer."""

    size_bytes: int
    sha256: str | None
    content_type: str
    client: Client | None = None


@dataclass(frozen=True)
class StoredImage:
    """Bytes that are kept."""

    size_bytes: int
    sha256: str
    content_type: str
    width: int
    height: int

    @property
    def key(self) -> str:
        """The object's key is its content address."""
        return f"sha256/{self.sha256}"


@dataclass(frozen=True)
class Accepted(StoredImage):
    """The object itself, and its smaller copies: itself where it is small enough. Objects that were
    accepted before there were renditions have none.

    `dhash` is the picture's fingerprint, of 64 bits; None when it is too flat to have one. A video
    has none, a `duration`, and renditions of its poster frame.
    """

    renditions: Mapping[RenditionKind, StoredImage] = field(default_factory=dict)
    dhash: int | None = None
    duration: timedelta | None = None


@dataclass(frozen=True)
class MediaObject:
    """`id` is that of the upload, too. `accepted` is there in that state, and only then."""

    id: str
    owner: str
    purpose: Purpose
    announced: Announced
    create_time: datetime
    expire_time: datetime
    state: State = State.PENDING
    rejections: tuple[Rejection, ...] = ()
    accepted: Accepted | None = None
    # The accepted object of another creator that it looks like: a hint.
    resembled: str | None = None
    # Whether there is text in a banner (R65); None where nobody looked, or it cannot be told.
    has_text: bool | None = None

    @property
    def quarantine_key(self) -> str:
        return f"uploads/{self.id}"

    @property
    def sweep_time(self) -> datetime:
        return self.expire_time + SWEEP_DELAY

    def is_gone(self, now: datetime) -> bool:
        return self.state is State.PENDING and self.expire_time <= now

    def address_lifetime(self, now: datetime) -> timedelta:
        """For how many whole seconds an address to upload to is good; zero where there is none: the
        verdict is there, or the upload is gone."""
        if self.state is not State.PENDING:
            return timedelta()
        left = (self.expire_time - now) // _SECOND * _SECOND
        return max(timedelta(), min(ADDRESS_LIFETIME, left))


def violations(limits: Limits, announced: Announced) -> list[Violation]:
    """Everything that can be held against an image's upload before a byte of it is sent."""
    found = _of_size(too_many_bytes(limits, announced.size_bytes), limits.bytes_rule, announced)
    found += [] if announced.sha256 is None else _of_sha256(announced.sha256)
    if announced.content_type not in CONTENT_TYPES:
        found.append(Violation("content_type", "R67", "Must be image/jpeg or image/png"))
    if announced.client is not None:
        text = "Must be left out: an image has the same limits on each client"
        found.append(Violation("client", "VIDEO_ONLY", text))
    return found


def video_violations(limits: LimitsByClient, announced: Announced) -> list[Violation]:
    """The same for a video."""
    too_many = videos.too_many_bytes(limits, announced.client, announced.size_bytes)
    found = _of_size(too_many, "R88", announced) + _of_sha256(announced.sha256 or "")
    if announced.content_type not in videos.ACCEPTED_TYPES:
        types = f"{', '.join(videos.ACCEPTED_TYPES[:-1])} or {videos.ACCEPTED_TYPES[-1]}"
        found.append(Violation("content_type", "R88", f"Must be {types}"))
    if announced.client is None:
        found.append(Violation("client", "R88", "Must be what the video is made on"))
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
