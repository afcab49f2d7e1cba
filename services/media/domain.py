"""Media objects, from announced upload to accepted object: pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from servicekit.errors import Violation
from services.media.images import (
    CONTENT_TYPES,
    Limits,
    Purpose,
    Rejection,
    RenditionKind,
    too_many_bytes,
)

# An upload that is not finished by then is gone.
UPLOAD_LIFETIME = timedelta(hours=24)
# Addresses are bearer secrets: long enough for a slow line, no longer.
ADDRESS_LIFETIME = timedelta(minutes=15)

_SHA256 = re.compile(r"[0-9a-f]{64}")


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


@dataclass(frozen=True)
class StoredImage:
    """Clean bytes that are kept."""

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

    `dhash` is the picture's fingerprint, of 64 bits; None when it is too flat to have one.
    """

    renditions: Mapping[RenditionKind, StoredImage] = field(default_factory=dict)
    dhash: int | None = None


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

    @property
    def quarantine_key(self) -> str:
        return f"uploads/{self.id}"

    def is_gone(self, now: datetime) -> bool:
        return self.state is State.PENDING and self.expire_time <= now


def violations(limits: Limits, announced: Announced, client: str = "") -> list[Violation]:
    """Everything that can be held against an image's upload before a byte of it is sent."""
    found = []
    if announced.size_bytes <= 0:
        found.append(Violation("size_bytes", "RANGE", "Must be above zero"))
    elif text := too_many_bytes(limits, announced.size_bytes):
        found.append(Violation("size_bytes", limits.bytes_rule, text))
    if announced.sha256 is not None and not _SHA256.fullmatch(announced.sha256):
        found.append(Violation("sha256", "SHA-256", "Must be 64 lower-case hexadecimal digits"))
    if announced.content_type not in CONTENT_TYPES:
        found.append(Violation("content_type", "R67", "Must be image/jpeg or image/png"))
    if client:
        text = "Must be left out: an image has the same limits on each client"
        found.append(Violation("client", "VIDEO_ONLY", text))
    return found


def accept(media: MediaObject, accepted: Accepted, resembled: str | None = None) -> MediaObject:
    return replace(media, state=State.ACCEPTED, accepted=accepted, resembled=resembled)


def reject(media: MediaObject, rejections: tuple[Rejection, ...]) -> MediaObject:
    return replace(media, state=State.REJECTED, rejections=rejections)
