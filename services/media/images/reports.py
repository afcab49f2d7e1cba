"""Validates a decoder's report: an image may have taken the decoder over. Pure."""

import itertools
from collections.abc import Sequence

from pydantic import TypeAdapter

from services.media.images.headers import format_of
from services.media.images.messages import MEMORY, Copy, DecodeReport, DecodeRequest

_HEADS = TypeAdapter(DecodeReport)
_SIDES = range(2**32)  # a PNG's header may claim any (https://www.w3.org/TR/png-3/#11IHDR)
_HASHES = range(2**64)
_MAXIMUM_TEXT = 200  # characters of a text for people


def parse_report(
    head: bytes, copies: bytes, content: bytes, request: DecodeRequest
) -> tuple[DecodeReport, list[bytes]]:
    """The report on `content`, and the copies made of it.

    Raises:
        ValueError: the report is inconsistent.
    """
    report = _HEADS.validate_json(head, strict=True)
    _require(report.format is format_of(content), "another format")
    _require(report.width in _SIDES and report.height in _SIDES, "no size")
    _require(report.dhash is None or report.dhash in _HASHES, "no hash")
    for text in (report.found, report.problem):
        _require(text.isprintable() and len(text) <= _MAXIMUM_TEXT, "an unreadable text")
    _require(report.exhausted in ("", MEMORY), "something else was exhausted")
    _require(
        bool(report.copies) == _has_copies(report, request),
        "copies missing or unexpected",
    )
    return report, _split(report.copies, copies, request)


def _has_copies(report: DecodeReport, request: DecodeRequest) -> bool:
    if report.format is None or report.problem or report.exhausted or request.is_header_only:
        return False
    return report.width * report.height <= request.maximum_pixels


def _split(copies: Sequence[Copy], content: bytes, request: DecodeRequest) -> list[bytes]:
    for copy in copies:
        limit = copy.fit_within or request.fit_within or _SIDES.stop
        _require(1 <= min(copy.width, copy.height) <= max(copy.width, copy.height) <= limit, "size")
        _require(copy.size_bytes > 0, "an empty copy")
    _require(not copies or copies[0].fit_within == 0, "no clean copy")
    sides = [copy.fit_within for copy in copies[1:]]
    _require(sides == [side for side in request.renditions if side in sides], "other renditions")
    ends = list(itertools.accumulate(copy.size_bytes for copy in copies))
    _require(len(content) == (ends[-1] if ends else 0), "another length")
    parts = [content[start:end] for start, end in itertools.pairwise([0, *ends])]
    for copy, part in zip(copies, parts, strict=True):
        _require(format_of(part) is copy.format, "a copy in another format")
    return parts


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise ValueError(otherwise)
