"""Limits of videos by the client that they are made on, and the reasons to reject one. Pure.

The platform's own table of limits (R88) is lost: the limits are settings, with our defaults.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from servicekit.errors import FailedPrecondition, Reason
from services.media.images.messages import DecodeRequest
from services.media.images.rules import RENDITION_SIDES, Code, Rejection, RenditionKind
from services.media.levels import MINIMUM_VIDEO_LEVEL, may_show_videos
from services.media.videos.headers import CONTENT_TYPES, Container
from services.media.videos.messages import MAXIMUM_POSTER_BYTES, ProbeReport, ProbeRequest

ACCEPTED_TYPES = tuple(CONTENT_TYPES.values())
# 8K, the largest frame of H.264's highest level (ITU-T H.264, table A-1: 139,264 macroblocks).
MAXIMUM_PIXELS = 139_264 * 16 * 16
# Renditions are made of the poster frame.
_FEED, _THUMBNAIL = RENDITION_SIDES[RenditionKind.FEED], RENDITION_SIDES[RenditionKind.THUMBNAIL]
POSTER_REQUEST = DecodeRequest(_FEED**2, _FEED, MAXIMUM_POSTER_BYTES, (_THUMBNAIL,))


class Client(StrEnum):
    """The client that the creator works on."""

    DESKTOP = "DESKTOP"
    APP = "APP"


_CLIENT_NAMES = {Client.DESKTOP: "on the desktop site", Client.APP: "in the app"}


@dataclass(frozen=True)
class VideoLimits:
    maximum_bytes: int
    maximum_seconds: int


LimitsByClient = Mapping[Client, VideoLimits]


def require_video_level(creator_id: str, level: str) -> None:
    """`level` is empty for a creator who is not admitted.

    Raises:
        FailedPrecondition: the level is below that for videos (R87).
    """
    if not may_show_videos(level):
        raise FailedPrecondition(
            Reason.CREATOR_NOT_ELIGIBLE,
            f"creators/{creator_id} may not upload videos: they need the level"
            f" {MINIMUM_VIDEO_LEVEL}",
            metadata={"missing": "level", "rule_id": "R87"},
        )


def probe_request(container: Container, size_bytes: int) -> ProbeRequest:
    """What to ask of the prober for a video."""
    return ProbeRequest(container, size_bytes, MAXIMUM_PIXELS, _FEED)


def too_many_bytes(limits: LimitsByClient, client: Client | None, size_bytes: int) -> str:
    """Describes an excess of `size_bytes`; empty if there is none. Without a client, the largest
    limit counts."""
    maximum_bytes = (
        limits[client].maximum_bytes
        if client
        else max(each.maximum_bytes for each in limits.values())
    )
    if size_bytes <= maximum_bytes:
        return ""
    return (
        f"{size_bytes:,} bytes; at most {maximum_bytes:,} are allowed{_where(client)}:"
        " shorten the video or save it with a lower quality"
    )


def unsupported(found: str) -> tuple[Rejection, ...]:
    """Rejects content in no accepted container; `found` describes it."""
    text = f"The content is {found}; save the video as MP4, QuickTime, WebM or Matroska"
    return (Rejection(Code.UNSUPPORTED_TYPE, "R88", text),)


def without_picture(container: Container) -> Rejection:
    """Rejects a video whose poster frame cannot be decoded."""
    return _corrupt(container, "no picture in it can be decoded")


def rejections(
    limits: LimitsByClient,
    client: Client,
    size_bytes: int,
    container: Container,
    report: ProbeReport,
) -> tuple[Rejection, ...]:
    """Every reason to reject a video, by the prober's report; empty if it is acceptable."""
    found = []
    if text := too_many_bytes(limits, client, size_bytes):
        found.append(Rejection(Code.TOO_LARGE_BYTES, "R88", text))
    if report.width * report.height > MAXIMUM_PIXELS:
        return (*found, Rejection(Code.BOMB, "MAXIMUM_PIXELS", _bomb(report)))
    if too_long := _too_long(limits[client].maximum_seconds, client, report):
        found.append(Rejection(Code.TOO_LONG, "R88", too_long))
    if report.problem:
        return (*found, _corrupt(container, report.problem))
    if not report.has_video:
        text = "There are no moving pictures in it; upload a video"
        return (*found, Rejection(Code.UNSUPPORTED_TYPE, "R88", text))
    if not report.is_known_codec:
        codec = report.codec or "an unknown codec"
        text = f"The pictures are encoded as {codec}; save the video as H.264, H.265, VP9 or AV1"
        return (*found, Rejection(Code.UNSUPPORTED_TYPE, "R88", text))
    return tuple(found)


def _corrupt(container: Container, problem: str) -> Rejection:
    text = f"The {container} data is damaged ({problem}); save the video anew"
    return Rejection(Code.CORRUPT, "R88", text)


def _bomb(report: ProbeReport) -> str:
    return (
        f"{report.width}×{report.height} pixels; at most {MAXIMUM_PIXELS:,} (8K) are allowed:"
        " scale the video down"
    )


def _too_long(maximum_seconds: int, client: Client, report: ProbeReport) -> str:
    """In whole seconds: sound often ends a moment after the pictures."""
    if int(report.duration_seconds) <= maximum_seconds:
        return ""
    return (
        f"{report.duration_seconds:,.1f} seconds long; at most {maximum_seconds:,} are"
        f" allowed{_where(client)}: shorten the video"
    )


def _where(client: Client | None) -> str:
    return f" {_CLIENT_NAMES[client]}" if client else ""
