"""The decoder pool: hostile files, limits, and replacement of processes."""

import asyncio
import hashlib
import struct
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from structlog.testing import capture_logs

from servicekit.errors import Reason
from services.media.images.headers import Format
from services.media.images.pool import CONFINEMENT, DecoderPool
from services.media.images.rules import IMAGE_MAXIMUM_BYTES, Code, Purpose, limits_of, rejections
from services.media.sandbox.confinement import Confinement
from services.media.uploads.image_validator import validate_image
from services.media.videos import pool as prober_pool
from services.media.videos.pool import ProberPool
from tests.integration.media.corpus import CORPUS_MISSING, corpus_files, is_as_expected
from tests.integration.media.images.decoder_processes import decoder_processes
from tests.support.serving import refused
from tests.unit.media.pictures import jpeg, opened, palette_png, photo, png

MIB = 1024 * 1024
PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
IMAGE = limits_of(Purpose.IMAGE, IMAGE_MAXIMUM_BYTES)
BANNER = limits_of(Purpose.BANNER, IMAGE_MAXIMUM_BYTES)


@asynccontextmanager
async def pool(
    *, memory_mib: int = 1536, cpu_seconds: int = 20, wall_seconds: float = 30.0, size: int = 1
) -> AsyncIterator[DecoderPool]:
    confinement = Confinement(memory_mib * MIB, cpu_seconds, wall_seconds)
    async with DecoderPool(confinement, size=size) as decoders:
        yield decoders


@pytest.mark.skipif(bool(CORPUS_MISSING), reason=CORPUS_MISSING)
@pytest.mark.parametrize("purpose", [Purpose.BANNER, Purpose.IMAGE])
async def test_every_corpus_file_gets_the_expected_verdict(
    decoders: DecoderPool, purpose: Purpose
) -> None:
    limits = limits_of(purpose, IMAGE_MAXIMUM_BYTES)
    for file in corpus_files():
        content = file.path.read_bytes()
        assert hashlib.sha256(content).hexdigest() == file.sha256
        report, copies = await decoders.decode(content, limits.decode_request)
        found = [rejection.code for rejection in rejections(limits, len(content), report)]
        assert is_as_expected(file, found), (file.path.name, found, file.expected)
        if file.display_size and report.width:
            assert [report.width, report.height] == file.display_size
        for copy in copies:
            assert opened(copy).avg() >= 0
            assert not file.payload or file.payload not in copy


async def test_a_header_with_the_largest_size_is_a_bomb(decoders: DecoderPool) -> None:
    """2**32 - 1 pixels each way: the report is valid, the image a bomb."""
    largest = PNG_MAGIC + struct.pack(">I4sII", 13, b"IHDR", 2**32 - 1, 2**32 - 1) + b"\x08\2\0\0\0"
    report, copies = await decoders.decode(largest, IMAGE.decode_request)
    (found,) = rejections(IMAGE, len(largest), report)
    assert (found.code, copies) == (Code.BOMB, [])


async def test_a_large_palette_image_is_decoded_in_time() -> None:
    """Computing its palette anew would exceed the time limit."""
    drawing = palette_png(6000, 6000)
    async with DecoderPool(CONFINEMENT, size=1) as decoders:
        report, copies = await decoders.decode(drawing, BANNER.decode_request)
    assert rejections(BANNER, len(drawing), report) == ()
    assert opened(copies[0]).width == 6000


async def test_a_killed_decoder_is_replaced_and_the_image_decoded() -> None:
    async with pool() as decoders:
        (first,) = decoder_processes()
        first.kill()
        report, copies = await decoders.decode(jpeg(), IMAGE.decode_request)
        assert (report.problem, bool(copies)) == ("", True)
        (second,) = decoder_processes()
        assert second.pid != first.pid


async def test_an_image_that_exceeds_wall_time_can_be_retried() -> None:
    async with pool(wall_seconds=2) as decoders:
        (stopped,) = decoder_processes()
        stopped.suspend()
        with refused(Reason.DEPENDENCY_UNAVAILABLE):
            await decoders.decode(png(), IMAGE.decode_request)
        report, copies = await decoders.decode(png(), IMAGE.decode_request)
        assert (report.problem, bool(copies)) == ("", True)


async def test_an_image_that_exceeds_memory_is_rejected_with_that_reason() -> None:
    large = png(6000, 6000)
    async with pool(memory_mib=120) as decoders:
        verdict = await validate_image(decoders.decode, BANNER, large)
        (rejection,) = verdict.rejections
        assert (rejection.code, rejection.rule_id) == (Code.CORRUPT, "R67")
        assert rejection.description == (
            "Decoding it takes more memory than is allowed; scale the image down"
        )
        report, copies = await decoders.decode(png(), IMAGE.decode_request)
        assert (report.problem, bool(copies)) == ("", True)


async def test_a_decoder_is_replaced_after_a_cancelled_call() -> None:
    async with pool() as decoders:
        (stopped,) = decoder_processes()
        stopped.suspend()
        call = asyncio.create_task(decoders.decode(jpeg(), IMAGE.decode_request))
        await asyncio.sleep(0)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        report, copies = await decoders.decode(png(), IMAGE.decode_request)
        assert report.copies[0].format is Format.PNG
        assert opened(copies[0]).width == 800


async def test_a_decoder_is_confined_and_has_no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIAISON_OBJECT_STORE_SECRET_KEY", "hush")
    async with pool(size=2) as decoders:
        await decoders.decode(jpeg(), IMAGE.decode_request)
        processes = decoder_processes()
        assert len(processes) == 2
        assert not any("hush" in str(process.environ()) for process in processes)
        limits = [process.rlimit(psutil.RLIMIT_AS) for process in processes]
        assert (1536 * MIB, 1536 * MIB) in limits
    assert decoder_processes() == []


async def test_an_image_that_exceeds_cpu_time_is_not_retried() -> None:
    slow = photo(5000, 4000, seed=1).pngsave_buffer(compression=1)
    async with pool(cpu_seconds=0) as decoders:
        (first,) = decoder_processes()
        with capture_logs() as logs:
            report, _ = await decoders.decode(slow, replace(IMAGE.decode_request, fit_within=None))
        (rejection,) = rejections(IMAGE, 1000, report)
        assert rejection.code is Code.CORRUPT
        assert rejection.description == (
            "Decoding it takes more processor time than is allowed; scale the image down"
        )
        assert [entry["pid"] for entry in logs if entry["event"] == "process_replaced"] == [
            first.pid
        ]
        report, _ = await decoders.decode(png(), IMAGE.decode_request)
        assert report.problem == ""


async def test_a_decoder_cannot_open_files() -> None:
    async with pool() as decoders:
        await decoders.decode(png(2400, 1200), IMAGE.decode_request)
        (process,) = decoder_processes()
        assert process.rlimit(psutil.RLIMIT_NOFILE) == (3, 3)
        assert process.num_fds() == 3


@pytest.mark.parametrize("attempt", ["open('/dev/null')", "socket.socket()"])
def test_a_confined_process_can_open_no_file_and_no_socket(attempt: str) -> None:
    program = (
        "import socket; from services.media.sandbox.confinement import confine;"
        f"confine(2**30, open_files=3); {attempt}"
    )
    run = subprocess.run(  # noqa: S603 - our own arguments only
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert run.returncode == 1
    assert "Too many open files" in run.stderr


async def test_nothing_is_imported_from_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("pyvips", "av", "services", "servicekit", "json", "cv2"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('hostile')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", "")
    async with pool() as decoders, ProberPool(prober_pool.CONFINEMENT) as probers:
        report, _ = await decoders.decode(png(), IMAGE.decode_request)
        assert report.problem == ""
        assert probers is not None
