"""The prober pool: reports on real videos, hostile videos, limits, and replacement."""

import asyncio
import os
import random
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import psutil
import pytest

from servicekit.errors import Reason
from servicekit.s3.objects import ObjectChanged
from services.media.sandbox.confinement import Confinement
from services.media.videos import pool as prober_pool
from services.media.videos.headers import Container, container_of
from services.media.videos.messages import ProbeReport, ProbeRequest
from services.media.videos.pool import ProberPool
from services.media.videos.rules import Client, probe_request, rejections
from tests.integration.media.conftest import VIDEO_LIMITS
from tests.support.serving import refused
from tests.unit.media.pictures import opened
from tests.unit.media.sample_videos import (
    lengthened,
    sample_video,
    sound_only,
    with_duration,
    with_reference,
    with_size,
)

MIB = 1024 * 1024


@asynccontextmanager
async def pool(
    *, memory_mib: int = 1024, wall_seconds: float = 30.0, size: int = 1
) -> AsyncIterator[ProberPool]:
    async with ProberPool(Confinement(memory_mib * MIB, 20, wall_seconds), size=size) as probers:
        yield probers


def prober_processes() -> list[psutil.Process]:
    return [
        child
        for child in psutil.Process().children()
        if "services.media.videos.prober" in child.cmdline()
    ]


def request_for(content: bytes) -> ProbeRequest:
    container = container_of(content)
    assert container is not None
    return probe_request(container, len(content))


def reading(content: bytes) -> Callable[[int, int], Awaitable[bytes]]:
    async def read(offset: int, length: int) -> bytes:
        return content[offset : offset + length]

    return read


async def probed(probers: ProberPool, content: bytes) -> tuple[ProbeReport, bytes]:
    return await probers.probe(reading(content), request_for(content))


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
async def test_a_video_is_described_with_a_poster_frame(
    probers: ProberPool, form: str, codec: str, container: Container, name: str
) -> None:
    content = sample_video(form, codec)
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
async def test_the_index_may_be_anywhere(probers: ProberPool, flags: str) -> None:
    report, _ = await probed(probers, sample_video(options={"movflags": flags}))
    assert report.problem == ""
    assert 3.0 <= report.duration_seconds < 3.3


@pytest.mark.parametrize(
    ("content", "at_least", "below"),
    [
        (lengthened(sample_video(), 1), 3, 3.1),
        # Its samples are shorter, and players stop at the last.
        (lengthened(sample_video(), 5000), 3, 3.1),
        (with_duration(sample_video("webm", "libvpx"), 1), 3, 3.1),
        (with_duration(sample_video("webm", "libvpx"), 5000), 5000, 5001),
        # Neither a duration in the header nor an index.
        (sample_video("webm", "libvpx", options={"live": "1"}), 3, 3.1),
    ],
)
async def test_the_duration_is_the_longest_of_headers_and_index(
    probers: ProberPool, content: bytes, at_least: float, below: float
) -> None:
    report, _ = await probed(probers, content)
    assert at_least <= report.duration_seconds < below


async def test_the_poster_frame_is_the_first_that_is_not_blank(probers: ProberPool) -> None:
    report, poster = await probed(probers, sample_video(fades_in=True))
    assert report.problem == ""
    assert opened(poster).max() > 100


@pytest.mark.parametrize(
    ("degrees", "dark", "bright"),
    [
        (-90, (180, 3), (180, 190)),
        (90, (180, 636), (180, 450)),
        (180, (636, 180), (450, 180)),
    ],
)
async def test_sizes_are_as_displayed(
    probers: ProberPool, degrees: int, dark: tuple[int, int], bright: tuple[int, int]
) -> None:
    """As phones record upright. The video's left edge is dark, which a rotation to the right moves
    to the top."""
    report, poster = await probed(probers, sample_video(size=(640, 360), turned_degrees=degrees))
    expected = (640, 360) if degrees == 180 else (360, 640)
    assert (report.width, report.height) == expected
    upright = opened(poster).autorot()
    assert (upright.width, upright.height) == expected
    assert upright.getpoint(*dark)[0] < 60
    assert upright.getpoint(*bright)[0] > 150


async def test_a_large_poster_frame_is_scaled_down(probers: ProberPool) -> None:
    _, poster = await probed(probers, sample_video(codec="mpeg4", seconds=1, size=(2000, 1000)))
    assert (opened(poster).width, opened(poster).height) == (1080, 540)


@pytest.mark.parametrize("form", ["mp4", "matroska"])
async def test_a_truncated_video_is_damaged(probers: ProberPool, form: str) -> None:
    content = sample_video(form, options={"movflags": "+faststart"} if form == "mp4" else {})
    report, poster = await probed(probers, content[: len(content) * 2 // 3])
    assert "bytes are missing" in report.problem
    assert poster == b""


async def test_a_video_without_its_index_is_damaged(probers: ProberPool) -> None:
    content = sample_video()
    report, _ = await probed(probers, content[: content.index(b"moov") - 4])
    assert report.problem


async def test_bytes_after_the_last_box_are_ignored(probers: ProberPool) -> None:
    report, _ = await probed(probers, sample_video() + bytes(range(256)) * 16)
    assert report.problem == ""


async def test_a_file_with_sound_only_has_no_video(probers: ProberPool) -> None:
    report, _ = await probed(probers, sound_only())
    assert (report.problem, report.has_video) == ("", False)


async def test_an_unknown_codec_is_named_and_not_decoded(probers: ProberPool) -> None:
    report, poster = await probed(probers, sample_video("mov", "mjpeg"))
    assert (report.codec, report.is_known_codec, poster) == ("mjpeg", False, b"")


@pytest.mark.parametrize("codec", ["libvpx-vp9", "libx264"])
async def test_the_size_is_that_of_the_frame_and_not_of_the_header(
    probers: ProberPool, codec: str
) -> None:
    content = sample_video("matroska", codec)
    for lie in (with_size(content, 65_535, 240), with_size(content, 16, 16)):
        assert lie != content
        report, _ = await probed(probers, lie)
        assert (report.problem, report.width, report.height) == ("", 320, 240)
        # A frame above the maximum is not decoded, whichever size the header gives.
        small = replace(request_for(lie), maximum_pixels=320 * 240 - 1)
        report, poster = await probers.probe(reading(lie), small)
        assert report.problem or report.width * report.height > small.maximum_pixels
        assert poster == b""


async def test_a_reference_to_another_file_is_not_followed(probers: ProberPool) -> None:
    content = with_reference(sample_video(is_silent=True), b"/etc/hostname")
    report, poster = await probed(probers, content)
    assert report.problem
    assert poster == b""


async def test_a_long_video_is_not_read_as_a_whole(probers: ProberPool) -> None:
    content = sample_video(seconds=60, size=(640, 480), quality=1)
    reads: list[int] = []

    async def read(offset: int, length: int) -> bytes:
        reads.append(length)
        return content[offset : offset + length]

    report, _ = await probers.probe(read, request_for(content))
    assert (report.problem, int(report.duration_seconds)) == ("", 60)
    assert sum(reads) < 260 * 1024 < len(content) / 3


async def test_a_prober_that_reads_too_much_is_stopped(
    probers: ProberPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = sample_video("webm", "libvpx", options={"live": "1"})
    monkeypatch.setattr(prober_pool, "_EXTRA_READ_BYTES", -2 * len(content))
    report, _ = await probed(probers, content)
    assert report.problem == "it is laid out so that it has to be read again and again"
    monkeypatch.undo()
    report, _ = await probed(probers, content)
    assert report.problem == ""


async def test_a_killed_prober_is_replaced_and_the_video_probed() -> None:
    async with pool() as probers:
        (first,) = prober_processes()
        first.kill()
        report, poster = await probed(probers, sample_video())
        assert (report.problem, bool(poster)) == ("", True)
        (second,) = prober_processes()
        assert second.pid != first.pid


async def test_a_video_that_exceeds_wall_time_can_be_retried() -> None:
    async with pool(wall_seconds=2) as probers:
        (stopped,) = prober_processes()
        stopped.suspend()
        with refused(Reason.DEPENDENCY_UNAVAILABLE):
            await probed(probers, sample_video())
        report, _ = await probed(probers, sample_video())
        assert report.problem == ""


async def test_the_time_of_storage_does_not_count() -> None:
    content = sample_video()
    asked, answered = asyncio.Event(), asyncio.Event()

    async def read(offset: int, length: int) -> bytes:
        asked.set()
        await answered.wait()
        return content[offset : offset + length]

    async with pool(wall_seconds=1) as probers:
        call = asyncio.create_task(probers.probe(read, request_for(content)))
        await asked.wait()
        asyncio.get_running_loop().call_later(1.5, answered.set)
        report, _ = await call
        assert report.problem == ""


async def test_exceptions_of_storage_propagate_and_the_pool_goes_on(
    probers: ProberPool,
) -> None:
    async def read(offset: int, length: int) -> bytes:
        raise ObjectChanged

    with pytest.raises(ObjectChanged):
        await probers.probe(read, request_for(sample_video()))
    report, _ = await probed(probers, sample_video())
    assert report.problem == ""


async def test_a_video_that_exceeds_memory_is_damaged() -> None:
    large = sample_video(codec="mpeg4", seconds=1, size=(7680, 4320), is_silent=True)
    async with pool(memory_mib=200) as probers:
        report, poster = await probed(probers, large)
        assert report.problem
        assert poster == b""
        report, _ = await probed(probers, sample_video())
        assert report.problem == ""


async def test_a_prober_cannot_open_files_and_has_no_secrets(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LIAISON_OBJECT_STORE_SECRET_KEY", "hush")
    async with pool() as probers:
        await probed(probers, sample_video())
        (process,) = prober_processes()
        assert "hush" not in str(process.environ())
        assert process.rlimit(psutil.RLIMIT_AS) == (1024 * MIB, 1024 * MIB)
        assert process.rlimit(psutil.RLIMIT_NOFILE) == (3, 3)
        assert process.num_fds() == 3
    assert prober_processes() == []


async def test_a_prober_that_does_not_start_is_not_blamed_on_the_video(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with pool() as probers:
        (only,) = prober_processes()
        only.kill()
        monkeypatch.setattr(sys, "executable", "/bin/false")
        with pytest.raises(RuntimeError, match=r"services\.media\.videos\.prober does not start"):
            await probed(probers, sample_video())
        monkeypatch.undo()
        report, _ = await probed(probers, sample_video())
        assert report.problem == ""


_SEEDS: dict[str, Callable[[], bytes]] = {
    "mp4": lambda: sample_video(seconds=1),
    "faststart": lambda: sample_video(seconds=1, options={"movflags": "+faststart"}),
    "fragments": lambda: sample_video(seconds=2, options={"movflags": "+frag_keyframe+empty_moov"}),
    "webm": lambda: sample_video("webm", "libvpx", seconds=1),
    "matroska": lambda: sample_video("matroska", "mpeg4", seconds=1),
}
_MUTATIONS = int(os.environ.get("PROBER_MUTATIONS", "0"))


@pytest.mark.parametrize("seed", _SEEDS)
async def test_any_mutation_gets_a_verdict(probers: ProberPool, seed: str) -> None:
    """`PROBER_MUTATIONS` sets how many, for a longer, random search."""
    chance = random.Random(None if _MUTATIONS else seed)  # noqa: S311 - not for secrets
    content = _SEEDS[seed]()
    for _ in range(_MUTATIONS or 40):
        mutated = _mutated(content, chance)
        container = container_of(mutated)
        if container is None:
            continue
        report, poster = await probers.probe(reading(mutated), request_for(mutated))
        found = rejections(VIDEO_LIMITS, Client.DESKTOP, len(mutated), container, report)
        assert found or (report.width and report.height and opened(poster).avg() >= 0)
    report, _ = await probed(probers, content)
    assert report.problem == ""
    (process,) = prober_processes()
    assert process.memory_info().rss < 300 * MIB


def _mutated(content: bytes, chance: random.Random) -> bytes:
    """Changes a few bytes in headers; may also truncate the file or duplicate a part of it."""
    changed = bytearray(content)
    for _ in range(chance.choice((1, 4, 32))):
        edge = chance.randrange(min(len(changed), 2048))
        changed[chance.choice((edge, -1 - edge))] = chance.choice((0, 1, 127, 255, edge % 256))
    match chance.randrange(6):
        case 0:
            del changed[chance.randrange(64, len(changed)) :]
        case 1:
            start, target = chance.randrange(len(changed)), chance.randrange(len(changed))
            changed[target:target] = changed[start : start + chance.randrange(1, 512)]
    return bytes(changed)
