"""Decoders as processes: hostile files, limits, and replacement."""

import asyncio
import hashlib
import json
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from services.media.decoder_pool import Confinement, DecoderPool
from services.media.images import IMAGE_MAXIMUM_BYTES, Purpose, limits_of, rejections
from tests.unit.media.pictures import jpeg, opened, png

MIB = 1024 * 1024
IMAGE = limits_of(Purpose.IMAGE, IMAGE_MAXIMUM_BYTES)
_ROOT = Path(__file__).parents[3]
_CORPUS = Path(os.environ.get("LIAISON_CORPUS", _ROOT.parent / "shared" / "corpus"))
_MANIFEST = _CORPUS / "images" / "manifest.json"


def decoder_processes() -> list[psutil.Process]:
    return [
        child
        for child in psutil.Process().children()
        if "services.media.decoder" in child.cmdline()
    ]


@asynccontextmanager
async def pool(
    *, memory_mib: int = 1536, cpu_seconds: int = 20, wall_seconds: float = 30.0, size: int = 1
) -> AsyncIterator[DecoderPool]:
    confinement = Confinement(memory_mib * MIB, cpu_seconds, wall_seconds)
    async with DecoderPool(confinement, size=size) as decoders:
        yield decoders


def _verdicts() -> list[dict[str, Any]]:
    if not _MANIFEST.exists():
        return []
    verdicts: list[dict[str, Any]] = json.loads(_MANIFEST.read_text())["files"]
    return verdicts


_CODES = {
    "reject:too_small_dimensions": "TOO_SMALL",
    "reject:unsupported_type": "UNSUPPORTED_TYPE",
    "reject:bomb": "BOMB",
    "reject:corrupt": "CORRUPT",
    "reject:too_large_bytes": "TOO_LARGE_BYTES",
}


@pytest.mark.skipif(
    not _MANIFEST.exists(), reason="no image corpus: set LIAISON_CORPUS to the folder that has it"
)
@pytest.mark.parametrize("purpose", Purpose)
async def test_every_file_of_the_corpus_gets_its_verdict(
    decoders: DecoderPool, purpose: Purpose
) -> None:
    limits = limits_of(purpose, IMAGE_MAXIMUM_BYTES)
    for verdict in _verdicts():
        content = (_MANIFEST.parent / verdict["file"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == verdict["sha256"]
        report, copies = await decoders.inspect(content, limits.order)
        found = {rejection.code for rejection in rejections(limits, len(content), report)}
        expected = [verdict["expected"], *verdict["also_acceptable"]]
        if not found:
            assert "accept" in expected, verdict["file"]
            assert opened(copies[0]).avg() >= 0
        else:
            codes = {_CODES[code] for code in expected if code in _CODES}
            assert found & codes, (verdict["file"], found, expected)
            if verdict["display_dimensions"] and report.width:
                assert [report.width, report.height] == verdict["display_dimensions"]


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
