"""What a decoder said, checked: its image may have taken it over."""

import itertools
from collections.abc import Sequence

from pydantic import TypeAdapter

from services.media.images.headers import format_of
from services.media.sandbox.frames import MEMORY, Copy, Order, Report

_HEADS = TypeAdapter(Report)
_SIDES = range(2**32)  # a PNG's header may claim any (https://www.w3.org/TR/png-3/#11IHDR)
_HASHES = range(2**64)
_WORDS = 200  # characters of a description that people read


def from_decoder(
    head: bytes, copies: bytes, content: bytes, order: Order
) -> tuple[Report, list[bytes]]:
    """The report on `content`, and the copies made of it.

    Raises:
        ValueError: it makes no sense.
    """
    report = _HEADS.validate_json(head, strict=True)
    _check(report.format is format_of(content), "another format")
    _check(report.width in _SIDES and report.height in _SIDES, "no size")
    _check(report.dhash is None or report.dhash in _HASHES, "no hash")
    for words in (report.found, report.problem):
        _check(words.isprintable() and len(words) <= _WORDS, "unreadable words")
    _check(report.exhausted in ("", MEMORY), "something else was exhausted")
    _check(bool(report.copies) == _has_copies(report, order), "copies of nothing, or none")
    return report, _split(report.copies, copies, order)


def _has_copies(report: Report, order: Order) -> bool:
    if report.format is None or report.problem or report.exhausted or order.is_header_only:
        return False
    return report.width * report.height <= order.maximum_pixels


def _split(copies: Sequence[Copy], content: bytes, order: Order) -> list[bytes]:
    for copy in copies:
        limit = copy.fit_within or order.fit_within or _SIDES.stop
        _check(1 <= min(copy.width, copy.height) <= max(copy.width, copy.height) <= limit, "size")
        _check(copy.size_bytes > 0, "an empty copy")
    _check(not copies or copies[0].fit_within == 0, "no clean copy")
    sides = [copy.fit_within for copy in copies[1:]]
    _check(sides == [side for side in order.renditions if side in sides], "other renditions")
    ends = list(itertools.accumulate(copy.size_bytes for copy in copies))
    _check(len(content) == (ends[-1] if ends else 0), "another length")
    parts = [content[start:end] for start, end in itertools.pairwise([0, *ends])]
    for copy, part in zip(copies, parts, strict=True):
        _check(format_of(part) is copy.format, "a copy in another format")
    return parts


def _check(holds: bool, otherwise: str) -> None:
    if not holds:
        raise ValueError(otherwise)
