"""Decoders as processes: hostile files, limits, and replacement."""

import asyncio
import hashlib
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psutil
import pytest

from services.media.confinement import Confinement
from services.media.decoder_pool import DecoderPool
from services.media.images import IMAGE_MAXIMUM_BYTES, Purpose, limits_of, rejections
from tests.integration.media.corpus import CORPUS_MISSING, corpus_files, is_as_expected
from tests.integration.media.decoders import decoder_processes
from tests.unit.media.pictures import jpeg, opened, png

MIB = 1024 * 1024
IMAGE = limits_of(Purpose.IMAGE, IMAGE_MAXIMUM_BYTES)


@asynccontextmanager
async def pool(
    *, memory_mib: int = 1536, cpu_seconds: int = 20, wall_seconds: float = 30.0, size: int = 1
) -> AsyncIterator[DecoderPool]:
    confinement = Confinement(memory_mib * MIB, cpu_seconds, wall_seconds)
    async with DecoderPool(confinement, size=size) as decoders:
        yield decoders


@pytest.mark.skipif(bool(CORPUS_MISSING), reason=CORPUS_MISSING)
@pytest.mark.parametrize("purpose", [Purpose.BANNER, Purpose.IMAGE])
async def test_every_file_of_the_corpus_gets_its_verdict(
    decoders: DecoderPool, purpose: Purpose
) -> None:
    limits = limits_of(purpose, IMAGE_MAXIMUM_BYTES)
    for file in corpus_files():
        content = file.path.read_bytes()
        assert hashlib.sha256(content).hexdigest() == file.sha256
        report, copies = await decoders.inspect(content, limits.order)
        found = [rejection.code for rejection in rejections(limits, len(content), report)]
        assert is_as_expected(file, found), (file.path.name, found, file.expected)
        if file.display_size and report.width:
            assert [report.width, report.height] == file.display_size
        for copy in copies:
            assert opened(copy).avg() >= 0
            assert not file.payload or file.payload not in copy


async def test_a_decoder_that_was_killed_is_replaced_and_the_image_still_judged() -> None:
    async with pool() as decoders:
        (first,) = decoder_processes()
        first.kill()
        report, copies = await decoders.inspect(jpeg(), IMAGE.order)
        assert (report.problem, bool(copies)) == ("", True)
        (second,) = decoder_processes()
        assert second.pid != first.pid


async def test_an_image_that_takes_too_long_is_damaged_and_the_next_is_not() -> None:
    async with pool(wall_seconds=2) as decoders:
        (stuck,) = decoder_processes()
        stuck.suspend()
        report, copies = await decoders.inspect(jpeg(), IMAGE.order)
        assert report.problem == "decoding takes over 2 seconds"
        assert copies == []
        report, copies = await decoders.inspect(png(), IMAGE.order)
        assert (report.problem, bool(copies)) == ("", True)


async def test_an_image_that_takes_too_much_memory_is_damaged() -> None:
    large = png(6000, 6000)
    async with pool(memory_mib=120) as decoders:
        report, copies = await decoders.inspect(large, limits_of(Purpose.BANNER, 1).order)
        assert report.problem
        assert copies == []
        report, copies = await decoders.inspect(png(), IMAGE.order)
        assert (report.problem, bool(copies)) == ("", True)


async def test_an_abandoned_image_leaves_no_half_read_decoder_behind() -> None:
    async with pool() as decoders:
        (stuck,) = decoder_processes()
        stuck.suspend()
        call = asyncio.create_task(decoders.inspect(jpeg(), IMAGE.order))
        await asyncio.sleep(0)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        report, copies = await decoders.inspect(png(), IMAGE.order)
        assert report.content_type == "image/png"
        assert opened(copies[0]).width == 800


async def test_a_decoder_is_confined_and_knows_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIAISON_OBJECT_STORE_SECRET_KEY", "hush")
    async with pool(size=2) as decoders:
        await decoders.inspect(jpeg(), IMAGE.order)
        processes = decoder_processes()
        assert len(processes) == 2
        assert not any("hush" in str(process.environ()) for process in processes)
        limits = [process.rlimit(psutil.RLIMIT_AS) for process in processes]
        assert (1536 * MIB, 1536 * MIB) in limits
    assert decoder_processes() == []


async def test_a_decoder_dies_with_the_signal_that_its_processor_limit_sends() -> None:
    async with pool() as decoders:
        (process,) = decoder_processes()
        process.send_signal(signal.SIGXCPU)
        report, _ = await decoders.inspect(jpeg(), IMAGE.order)
        assert report.problem == ""
        assert [found.pid for found in decoder_processes()] != [process.pid]
