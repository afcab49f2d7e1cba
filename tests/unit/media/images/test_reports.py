"""Validation of the decoder's reports."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from services.media.images.decoder import decode
from services.media.images.messages import DecodeRequest
from services.media.images.reports import parse_report
from tests.unit.media.pictures import jpeg

REQUEST = DecodeRequest(50_000_000, 2000, 5_242_880, renditions=(1080, 320))
CONTENT = jpeg(2400, 1200)
REPORT, COPIES = decode(CONTENT, REQUEST)
GOOD: dict[str, Any] = json.loads(REPORT.to_json())
PNG = b"\x89PNG\r\n\x1a\n"
SCRIPT = b"<script>alert(1)</script>"


def test_a_consistent_report_is_accepted() -> None:
    assert parse_report(REPORT.to_json(), b"".join(COPIES), CONTENT, REQUEST) == (REPORT, COPIES)


def changed(**values: Any) -> Callable[[dict[str, Any]], None]:
    return lambda report: report.update(values)


def changed_copy(number: int, **values: Any) -> Callable[[dict[str, Any]], None]:
    return lambda report: report["copies"][number].update(values)


@pytest.mark.parametrize(
    "change",
    [
        changed(format="PNG"),
        changed(format=None),
        changed(format="GIF"),
        changed(width="2400"),
        changed(width=-2400),
        changed(height=2**32),
        changed(height=1200.5),
        changed(width=True),
        changed(dhash=-1),
        changed(dhash=2**64),
        changed(problem="\x1b[2J"),
        changed(problem="x" * 300),
        changed(problem="damaged, with copies"),
        changed(exhausted="patience"),
        changed(copies=[]),
        changed(copies=None),
        changed_copy(0, format="PNG"),
        changed_copy(0, fit_within=1080),
        changed_copy(0, width=2001),
        changed_copy(0, size_bytes=-5),
        changed_copy(1, size_bytes=0),
        changed_copy(1, fit_within=500),
        changed_copy(1, width=1081),
        changed_copy(2, fit_within=1080),
        changed_copy(2, height=0),
    ],
)
def test_an_inconsistent_report_is_refused(change: Callable[[dict[str, Any]], None]) -> None:
    report = json.loads(json.dumps(GOOD))
    change(report)
    with pytest.raises(ValueError, match=r".+"):
        parse_report(json.dumps(report).encode(), b"".join(COPIES), CONTENT, REQUEST)


@pytest.mark.parametrize(
    "copies",
    [
        [SCRIPT.ljust(len(COPIES[0])), *COPIES[1:]],
        [COPIES[0], PNG.ljust(len(COPIES[1])), COPIES[2]],
        [*COPIES, b"more"],
        COPIES[:2],
    ],
)
def test_copies_must_have_the_reported_lengths_and_formats(copies: list[bytes]) -> None:
    with pytest.raises(ValueError, match="another"):
        parse_report(REPORT.to_json(), b"".join(copies), CONTENT, REQUEST)


@pytest.mark.parametrize("head", [b"", b"null", b'"x"', b"{}", b"[" * 4096, b"\xff\xfe{}"])
def test_invalid_json_is_refused(head: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_report(head, b"", CONTENT, REQUEST)
