"""Probers as processes: what they find in real videos, and what hostile ones do to them."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import psutil
import pytest

from services.media.confinement import Confinement
from services.media.probes import ProbeOrder, ProbeReport
from services.media.video_headers import Container, container_of
from services.media.video_probing import ProberPool
from services.media.videos import order_of
from tests.unit.media.films import (
    film,
    lengthened,
    sound_only,
    with_duration,
    with_reference,
    with_size,
)
from tests.unit.media.pictures import opened

MIB = 1024 * 1024


@asynccontextmanager
async def pool(
    *, memory_mib: int = 1024, wall_seconds: float = 30.0, size: int = 1
) -> AsyncIterator[ProberPool]:
    async with ProberPool(Confinement(memory_mib * MIB, 20, wall_seconds), size=size) as probers:
        yield probers


def prober_processes() -> list[psutil.Process]:
    return [
        child for child in psutil.Process().children() if "services.media.prober" in child.cmdline()
    ]


def order(content: bytes) -> ProbeOrder:
    container = container_of(content)
    assert container is not None
    return order_of(container, len(content))


def reading(content: bytes) -> Callable[[int, int], Awaitable[bytes]]:
    async def read(offset: int, length: int) -> bytes:
        return content[offset : offset + length]

    return read


async def probed(probers: ProberPool, content: bytes) -> tuple[ProbeReport, bytes]:
    return await probers.probe(reading(content), order(content))


@pytest.mark.parametrize(
    ("form", "codec", "container", "name"),
    [
        ("mp4", "libx264", Container.MP4, "h264"),
        ("mp4", "mpeg4", Container.MP4, "mpeg4"),
        ("mov", "libx264", Container.QUICKTIME, "h264"),
        ("webm", "libvpx", Container.WEBM, "vp8"),
        ("webm", "libvpx-vp9", Container.WEBM, "vp9"),
        ("matroska", "libx264", Container.MATROSKA, "h264"),
    ],
)
async def test_a_video_is_described_and_shows_a_picture(
    probers: ProberPool, form: str, codec: str, container: Container, name: str
) -> None:
    content = film(form, codec)
    assert container_of(content) is container
    report, poster = await probed(probers, content)
    assert (report.problem, report.has_video, report.codec) == ("", True, name)
    assert (report.width, report.height) == (320, 240)
    assert 3.0 <= report.duration_seconds < 3.1
    assert (opened(poster).width, opened(poster).height) == (320, 240)


@pytest.mark.parametrize(
    "flags",
    ["+disable_chpl", "+faststart", "+frag_keyframe+empty_moov", "+frag_every_frame+empty_moov"],
)
async def test_an_index_may_lie_anywhere(probers: ProberPool, flags: str) -> None:
    report, _ = await probed(probers, film(options={"movflags": flags}))
    assert report.problem == ""
    assert 3.0 <= report.duration_seconds < 3.3


@pytest.mark.parametrize(
    ("content", "at_least", "below"),
    [
        (lengthened(film(), 1), 3, 3.1),
        # Its samples say otherwise, and no player goes on without any.
        (lengthened(film(), 5000), 3, 3.1),
        (with_duration(film("webm", "libvpx"), 1), 3, 3.1),
        (with_duration(film("webm", "libvpx"), 5000), 5000, 5001),
        # No header tells, and no index is there.
        (film("webm", "libvpx", options={"live": "1"}), 3, 3.1),
    ],
)
async def test_the_longest_of_all_that_is_said_of_the_duration_counts(
    probers: ProberPool, content: bytes, at_least: float, below: float
) -> None:
    report, _ = await probed(probers, content)
    assert at_least <= report.duration_seconds < below


async def test_the_picture_is_the_first_that_shows_something(probers: ProberPool) -> None:
    report, poster = await probed(probers, film(fades_in=True))
    assert report.problem == ""
    assert opened(poster).max() > 100


@pytest.mark.parametrize(
    ("degrees", "dark"), [(-90, (180, 20)), (90, (180, 620)), (180, (620, 180))]
)
async def test_sizes_are_as_displayed(
    probers: ProberPool, degrees: int, dark: tuple[int, int]
) -> None:
    """As phones record upright. The picture's left edge is dark; it is at the top of what is turned
    right."""
    report, poster = await probed(probers, film(size=(640, 360), turned_degrees=degrees))
    expected = (640, 360) if degrees == 180 else (360, 640)
    assert (report.width, report.height) == expected
    upright = opened(poster).autorot()
    assert (upright.width, upright.height) == expected


async def test_a_large_picture_is_scaled_down(probers: ProberPool) -> None:
    _, poster = await probed(probers, film(codec="mpeg4", seconds=1, size=(2000, 1000)))
    assert (opened(poster).width, opened(poster).height) == (1080, 540)


@pytest.mark.parametrize("form", ["mp4", "matroska"])
async def test_what_was_cut_short_is_damaged(probers: ProberPool, form: str) -> None:
    content = film(form, options={"movflags": "+faststart"} if form == "mp4" else {})
    report, poster = await probed(probers, content[: len(content) * 2 // 3])
    assert "bytes are missing" in report.problem
    assert poster == b""


async def test_an_index_that_never_came_is_damage(probers: ProberPool) -> None:
    content = film()
    report, _ = await probed(probers, content[: content.index(b"moov") - 4])
    assert report.problem


async def test_what_follows_the_last_box_is_passed_over(probers: ProberPool) -> None:
    report, _ = await probed(probers, film() + bytes(range(256)) * 16)
    assert report.problem == ""


async def test_sound_alone_is_no_video(probers: ProberPool) -> None:
    report, _ = await probed(probers, sound_only())
    assert (report.problem, report.has_video) == ("", False)


async def test_a_codec_that_nobody_plays_is_named_and_not_decoded(probers: ProberPool) -> None:
    report, poster = await probed(probers, film("mov", "mjpeg"))
    assert (report.codec, report.is_known_codec, poster) == ("mjpeg", False, b"")


@pytest.mark.parametrize("codec", ["libvpx-vp9", "libx264"])
async def test_the_frame_and_not_the_header_tells_a_size(probers: ProberPool, codec: str) -> None:
    content = film("matroska", codec)
    for lie in (with_size(content, 65_535, 240), with_size(content, 16, 16)):
        assert lie != content
        report, _ = await probed(probers, lie)
        assert (report.problem, report.width, report.height) == ("", 320, 240)
        # A giant is not decoded, whichever tells that it is none.
        small = replace(order(lie), maximum_pixels=320 * 240 - 1)
        report, poster = await probers.probe(reading(lie), small)
        assert report.problem or report.width * report.height > small.maximum_pixels
        assert poster == b""


async def test_a_reference_to_another_file_is_not_followed(probers: ProberPool) -> None:
    content = with_reference(film(is_silent=True), b"/etc/hostname")
    report, poster = await probed(probers, content)
    assert report.problem
    assert poster == b""


async def test_a_long_video_is_not_read_as_a_whole(probers: ProberPool) -> None:
    # Its free space stands for pictures: a megabyte before the index.
    content = film(codec="mpeg4", size=(1280, 720), seconds=10)
    reads: list[int] = []

    async def read(offset: int, length: int) -> bytes:
        reads.append(length)
        return content[offset : offset + length]

    report, _ = await probers.probe(read, order(content))
    assert report.problem == ""
    assert sum(reads) < len(content) / 2
