"""What a decoder may say: anything else is the word of an image that took it over."""

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


def test_what_a_decoder_says_of_a_good_image_is_believed() -> None:
    assert parse_report(REPORT.to_json(), b"".join(COPIES), CONTENT, REQUEST) == (REPORT, COPIES)


def lie(**values: Any) -> Callable[[dict[str, Any]], None]:
    return lambda report: report.update(values)


def lie_of_copy(number: int, **values: Any) -> Callable[[dict[str, Any]], None]:
    return lambda report: report["copies"][number].update(values)


@pytest.mark.parametrize(
    "change",
    [
        lie(format="PNG"),
        lie(format=None),
        lie(format="GIF"),
        lie(width="2400"),
        lie(width=-2400),
        lie(height=2**32),
        lie(height=1200.5),
        lie(width=True),
        lie(dhash=-1),
        lie(dhash=2**64),
        lie(problem="\x1b[2J"),
        lie(problem="x" * 300),
        lie(problem="damaged, and yet there are copies"),
        lie(exhausted="patience"),
        lie(copies=[]),
        lie(copies=None),
        lie_of_copy(0, format="PNG"),
        lie_of_copy(0, fit_within=1080),
        lie_of_copy(0, width=2001),
        lie_of_copy(0, size_bytes=-5),
        lie_of_copy(1, size_bytes=0),
        lie_of_copy(1, fit_within=500),
        lie_of_copy(1, width=1081),
        lie_of_copy(2, fit_within=1080),
        lie_of_copy(2, height=0),
    ],
)
def test_a_lie_is_no_report(change: Callable[[dict[str, Any]], None]) -> None:
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
def test_a_copy_is_of_the_length_and_format_that_was_told(copies: list[bytes]) -> None:
    with pytest.raises(ValueError, match="another"):
        parse_report(REPORT.to_json(), b"".join(copies), CONTENT, REQUEST)


@pytest.mark.parametrize("head", [b"", b"null", b'"x"', b"{}", b"[" * 4096, b"\xff\xfe{}"])
def test_what_is_no_report_at_all_is_none(head: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_report(head, b"", CONTENT, REQUEST)
