"""Limits of videos, and reasons to reject."""

from dataclasses import replace

import pytest

from servicekit.errors import FailedPrecondition
from services.media.videos.headers import Container
from services.media.videos.messages import ProbeReport, ReadRequest, parse_message
from services.media.videos.rules import (
    MAXIMUM_PIXELS,
    Client,
    VideoLimits,
    rejections,
    require_video_level,
    too_many_bytes,
)

LIMITS = {Client.DESKTOP: VideoLimits(1000, 600), Client.APP: VideoLimits(500, 180)}
GOOD = ProbeReport(
    has_video=True, codec="h264", is_known_codec=True, width=1920, height=1080, duration_seconds=9.0
)


def found(
    report: ProbeReport, client: Client = Client.DESKTOP, size_bytes: int = 400
) -> list[tuple[str, str]]:
    listed = rejections(LIMITS, client, size_bytes, Container.MP4, report)
    assert all(": " in one.description or "; " in one.description for one in listed)
    return [(one.code, one.rule_id) for one in listed]


@pytest.mark.parametrize(
    ("report", "expected"),
    [
        (GOOD, []),
        (replace(GOOD, duration_seconds=600.9), []),
        (replace(GOOD, duration_seconds=601.0), [("TOO_LONG", "R88")]),
        (replace(GOOD, width=8192, height=4352), []),
        (replace(GOOD, width=8192, height=4353), [("BOMB", "MAXIMUM_PIXELS")]),
        (replace(GOOD, is_known_codec=False), [("UNSUPPORTED_TYPE", "R88")]),
        (ProbeReport(), [("UNSUPPORTED_TYPE", "R88")]),
        (ProbeReport(problem="it ends"), [("CORRUPT", "R88")]),
        (
            replace(GOOD, problem="it ends", duration_seconds=1e6),
            [("TOO_LONG", "R88"), ("CORRUPT", "R88")],
        ),
    ],
)
def test_every_reason_is_listed(report: ProbeReport, expected: list[tuple[str, str]]) -> None:
    assert found(report) == expected
    assert found(report, size_bytes=1001) == [("TOO_LARGE_BYTES", "R88"), *expected]


def test_limits_depend_on_the_client() -> None:
    long = replace(GOOD, duration_seconds=200.0)
    assert found(long, Client.DESKTOP) == []
    assert found(long, Client.APP) == [("TOO_LONG", "R88")]
    assert not too_many_bytes(LIMITS, Client.DESKTOP, 1000)
    assert "at most 500 are allowed in the app" in too_many_bytes(LIMITS, Client.APP, 501)
    # Where the client was left out, only what none admits is too much.
    assert not too_many_bytes(LIMITS, None, 1000)
    assert too_many_bytes(LIMITS, None, 1001)


def test_the_largest_frame_is_8k() -> None:
    assert MAXIMUM_PIXELS == 8192 * 4352


@pytest.mark.parametrize("level", ["", "NEWCOMER", "JUNIOR", "UNSPECIFIED"])
def test_a_level_below_intermediate_is_too_low(level: str) -> None:
    with pytest.raises(FailedPrecondition):
        require_video_level("anna", level)


@pytest.mark.parametrize("level", ["INTERMEDIATE", "ADVANCED", "EXPERT", "STAR"])
def test_intermediate_and_above_suffice(level: str) -> None:
    require_video_level("anna", level)


def test_messages_are_parsed() -> None:
    assert parse_message(GOOD.to_json()) == GOOD
    assert parse_message(ReadRequest(1, 2).to_json()) == ReadRequest(1, 2)


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"[]",
        b"7",
        b"{}",
        b"\xff",
        b'{"offset": 1}',
        b'{"offset": "1", "length": 2}',
        b'{"offset": -1, "length": 2}',
        b'{"offset": true, "length": 2}',
        b'{"offset": 1, "length": 2, "path": "/etc/passwd"}',
        GOOD.to_json().replace(b"1920", b"NaN"),
        GOOD.to_json().replace(b"9.0", b"NaN"),
        GOOD.to_json().replace(b"9.0", b"1e400"),
        GOOD.to_json().replace(b"1080", b"-1080"),
    ],
)
def test_invalid_messages_are_refused(said: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - JSON's and ours alike
        parse_message(said)
