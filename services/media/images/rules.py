"""Limits of images by purpose, and the reasons to reject one. Pure.

Those of videos are in `services.media.videos.rules`.
"""

from dataclasses import dataclass
from enum import StrEnum

from services.media.images.messages import DecodeReport, DecodeRequest

# More pixels than this are never decoded.
MAXIMUM_PIXELS = 50_000_000
BANNER_MAXIMUM_BYTES = 5 * 1024 * 1024  # R68
# Default; an image of 50 megapixels from a phone takes about half of it.
IMAGE_MAXIMUM_BYTES = 25 * 1024 * 1024
_MINIMUM_WIDTH, _MINIMUM_HEIGHT = 750, 360  # R69, R82
_IMAGE_FIT_WITHIN = 2000  # R83

CONTENT_TYPES = ("image/jpeg", "image/png")


class Purpose(StrEnum):
    BANNER = "BANNER"
    IMAGE = "IMAGE"
    VIDEO = "VIDEO"


class RenditionKind(StrEnum):
    """A smaller copy of an accepted image."""

    FEED = "FEED"
    THUMBNAIL = "THUMBNAIL"


# Side of the square that a rendition fits, in pixels.
RENDITION_SIDES = {RenditionKind.FEED: 1080, RenditionKind.THUMBNAIL: 320}


class Code(StrEnum):
    """Why an upload is rejected, in the order in which reasons are listed."""

    TOO_LARGE_BYTES = "TOO_LARGE_BYTES"
    UNSUPPORTED_TYPE = "UNSUPPORTED_TYPE"
    BOMB = "BOMB"
    TOO_SMALL = "TOO_SMALL"
    CORRUPT = "CORRUPT"
    TOO_LONG = "TOO_LONG"


@dataclass(frozen=True)
class Rejection:
    """One reason, its rule, and a description of what was found and how to correct it."""

    code: Code
    rule_id: str
    description: str


@dataclass(frozen=True)
class Limits:
    """Limits of one purpose. `bytes_rule` and `size_rule` are rule ids, or a word where the limit
    is ours. `fit_within` is the longer side after scaling down, in pixels; None: not scaled."""

    maximum_bytes: int
    bytes_rule: str
    size_rule: str
    fit_within: int | None

    @property
    def decode_request(self) -> DecodeRequest:
        return DecodeRequest(
            MAXIMUM_PIXELS, self.fit_within, self.maximum_bytes, tuple(RENDITION_SIDES.values())
        )


def limits_of(purpose: Purpose, image_maximum_bytes: int) -> Limits:
    if purpose is Purpose.BANNER:
        return Limits(BANNER_MAXIMUM_BYTES, "R68", "R69", None)
    return Limits(image_maximum_bytes, "MAXIMUM_BYTES", "R82", _IMAGE_FIT_WITHIN)


def too_many_bytes(limits: Limits, size_bytes: int) -> str:
    """Describes an excess of `size_bytes`; empty if there is none."""
    if size_bytes <= limits.maximum_bytes:
        return ""
    return (
        f"{size_bytes:,} bytes; at most {limits.maximum_bytes:,} are allowed:"
        " save it with a lower quality or fewer pixels"
    )


def rejections(limits: Limits, size_bytes: int, report: DecodeReport) -> tuple[Rejection, ...]:
    """Every reason to reject an image, by the decoder's report; empty if it is acceptable."""
    found = []
    if text := too_many_bytes(limits, size_bytes):
        found.append(Rejection(Code.TOO_LARGE_BYTES, limits.bytes_rule, text))
    elif report.clean_bytes > limits.maximum_bytes:
        text = f"Sanitised, it has {too_many_bytes(limits, report.clean_bytes)}"
        found.append(Rejection(Code.TOO_LARGE_BYTES, limits.bytes_rule, text))
    if report.format is None:
        text = f"The content is {report.found}; save the image as JPEG or PNG"
        return (*found, Rejection(Code.UNSUPPORTED_TYPE, "R67", text))
    if report.width * report.height > MAXIMUM_PIXELS:
        return (*found, Rejection(Code.BOMB, "MAXIMUM_PIXELS", _bomb(report)))
    if too_small := _too_small(limits, report):
        found.append(too_small)
    if report.exhausted:
        text = f"Decoding it takes more {report.exhausted} than is allowed; scale the image down"
        found.append(Rejection(Code.CORRUPT, "R67", text))
    elif report.problem:
        text = f"The {report.format} data is damaged ({report.problem}); save the image anew"
        found.append(Rejection(Code.CORRUPT, "R67", text))
    return tuple(found)


def _bomb(report: DecodeReport) -> str:
    return (
        f"{report.width}×{report.height} pixels are {report.width * report.height / 1e6:,.1f}"
        f" megapixels; at most {MAXIMUM_PIXELS // 10**6} are allowed: scale the image down"
    )


def _too_small(limits: Limits, report: DecodeReport) -> Rejection | None:
    """By the displayed size, and by the size after scaling down."""
    width, height = report.width, report.height
    if not width or not height:  # the header has no size: it is damaged
        return None
    needed = f"at least {_MINIMUM_WIDTH}×{_MINIMUM_HEIGHT} are needed"
    if width < _MINIMUM_WIDTH or height < _MINIMUM_HEIGHT:
        return Rejection(
            Code.TOO_SMALL,
            limits.size_rule,
            f"{width}×{height} pixels as displayed; {needed}: use a larger image",
        )
    fitted = fitted_size(width, height, limits.fit_within)
    if fitted[0] < _MINIMUM_WIDTH or fitted[1] < _MINIMUM_HEIGHT:
        return Rejection(
            Code.TOO_SMALL,
            "R84",
            f"{width}×{height} pixels become {fitted[0]}×{fitted[1]} when scaled down to"
            f" {limits.fit_within}×{limits.fit_within}; {needed}: crop the longer side",
        )
    return None


def fitted_size(width: int, height: int, fit_within: int | None) -> tuple[int, int]:
    """The size after scaling down to fit, sides in proportion, as the decoder rounds it."""
    scale = min(1.0, (fit_within or max(width, height)) / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))
