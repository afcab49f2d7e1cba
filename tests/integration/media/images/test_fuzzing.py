"""Fuzzing of the image decoder: any bytes get a verdict, and accepted copies are clean.

For a longer, random search: `FUZZ_EXAMPLES=20000 pytest tests/integration/media/images`.
"""

import asyncio
import os
import struct
from collections.abc import Iterator
from dataclasses import replace

import pytest
import pyvips
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.media.images.pool import CONFINEMENT, DecoderPool
from services.media.images.rules import IMAGE_MAXIMUM_BYTES, Code, Purpose, limits_of
from services.media.uploads.image_validator import ImageVerdict, validate_image
from tests.integration.media.images.decoder_processes import decoder_processes
from tests.integration.media.images.hostile_images import (
    SECRET,
    SEEDS,
    HostileImage,
    hostile_images,
    png_chunk,
)
from tests.unit.media.pictures import jpeg

_EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "0"))
_LIMITS = limits_of(Purpose.IMAGE, IMAGE_MAXIMUM_BYTES)
# Of a decoder after any number of images: its libraries and the largest image.
_MAXIMUM_RSS_BYTES = 640 * 1024 * 1024

# The resolution of all copies: 2,835 dots per metre.
PHYS_72_DPI = png_chunk(b"pHYs", struct.pack(">IIB", 2835, 2835, 1))


class Decoding:
    """A pool in an event loop of its own, shared by all examples."""

    def __init__(self, runner: asyncio.Runner, decoders: DecoderPool) -> None:
        self._runner = runner
        self._decoders = decoders

    def validate(self, content: bytes, fit_within: int | None = None) -> ImageVerdict:
        limits = replace(_LIMITS, fit_within=fit_within)
        return self._runner.run(validate_image(self._decoders.decode, limits, content))


@pytest.fixture(scope="module")
def decoding() -> Iterator[Decoding]:
    with asyncio.Runner() as runner:
        decoders = runner.run(DecoderPool(CONFINEMENT, size=1).__aenter__())
        yield Decoding(runner, decoders)
        runner.run(decoders.__aexit__())


# Hypothesis warns that the blob that reproduces a failure is long.
@pytest.mark.filterwarnings("ignore:Generating overly large repr")
@settings(
    max_examples=_EXAMPLES or 300,
    derandomize=not _EXAMPLES,
    database=None,
    print_blob=True,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
# Seeds are a little wider than 760 pixels, so that they are scaled down and still large enough.
@given(image=hostile_images(), fit_within=st.sampled_from((None, 760)))
def test_any_bytes_get_a_verdict_and_accepted_copies_are_clean(
    decoding: Decoding, image: HostileImage, fit_within: int | None
) -> None:
    verdict = decoding.validate(image.content, fit_within)
    assert (verdict.accepted is None) == bool(verdict.rejections)
    for rejection in verdict.rejections:
        assert isinstance(rejection.code, Code)
        assert rejection.description.isprintable()
    for stored, copy in verdict.contents:
        assert_clean(copy)
        opened = decoded(copy)
        assert (opened.width, opened.height) == (stored.width, stored.height)
    # For a moment there is none, after bytes that killed two decoders.
    for decoder in decoder_processes():
        assert decoder.memory_info().rss < _MAXIMUM_RSS_BYTES


@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: seed[1:4].hex())
def test_the_seed_images_are_accepted(decoding: Decoding, seed: bytes) -> None:
    assert SECRET in seed
    verdict = decoding.validate(seed)
    assert verdict.rejections == ()
    for _, copy in verdict.contents:
        assert_clean(copy)


def test_the_pool_still_decodes_afterwards(decoding: Decoding) -> None:
    assert decoding.validate(jpeg()).accepted is not None


def decoded(content: bytes) -> pyvips.Image:
    load = (
        pyvips.Image.pngload_buffer
        if content.startswith(b"\x89PNG")
        else pyvips.Image.jpegload_buffer
    )
    return load(content, fail_on="warning").copy_memory()


def assert_clean(content: bytes) -> None:
    """The copy contains only what decoding needs."""
    assert SECRET not in content
    if content.startswith(b"\x89PNG"):
        assert set(png_chunks(content)) <= {b"IHDR", b"pHYs", b"PLTE", b"tRNS", b"IDAT", b"IEND"}
        assert PHYS_72_DPI in content
        assert content.endswith(b"IEND\xaeB`\x82")
    else:
        # JFIF, tables, frame and scan: no other application segment, no comment.
        assert set(jpeg_markers(content)) <= {0xE0, 0xDB, 0xC0, 0xC4, 0xDD, 0xDA}
        assert content.endswith(b"\xff\xd9")


def png_chunks(content: bytes) -> Iterator[bytes]:
    position = 8
    while position < len(content):
        yield content[position + 4 : position + 8]
        position += 12 + int.from_bytes(content[position : position + 4], "big")


def jpeg_markers(content: bytes) -> Iterator[int]:
    """Up to the only scan."""
    position = 2
    marker = 0
    while marker != 0xDA:
        assert content[position] == 0xFF
        marker = content[position + 1]
        yield marker
        position += 2 + int.from_bytes(content[position + 2 : position + 4], "big")
