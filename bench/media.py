"""The time to accept an image, sandbox and all its copies included, beside bare libvips; and the
memory that it takes.

Bare libvips makes one copy, in this process, with as many threads as it likes: it scales the image
down while it loads, and encodes it. Ours reads it in a decoder process, checks that it is whole,
makes renditions and a fingerprint of it as well, and hashes every copy. They take turns, so that
whatever else the machine does falls on both alike.
"""

import re
import statistics
import time
from pathlib import Path

import psutil
import pyvips

from bench.result import Result
from services.media.images.pool import CONFINEMENT, DecoderPool
from services.media.images.rules import IMAGE_MAXIMUM_BYTES, Purpose, limits_of
from services.media.uploads.image_validator import examine

_LARGE = (6000, 4000)
_SMALL = (1500, 720)
_LARGE_RUNS, _SMALL_RUNS = 15, 60
_WARM_UP = 3
_LIMITS = limits_of(Purpose.IMAGE, IMAGE_MAXIMUM_BYTES)


async def results() -> list[Result]:
    pyvips.cache_set_max(0)  # else the second run of an operation is a look at the first
    async with DecoderPool(CONFINEMENT, size=1) as decoders:
        large = await _ratio(decoders, _photo(*_LARGE), _LARGE_RUNS)
        small = await _ratio(decoders, _photo(*_SMALL), _SMALL_RUNS)
        peak_mb = _peak_rss_mb()
    return [
        Result("media.downscale.ratio_to_libvips", large, "ratio", "<= 1.3"),
        Result("media.small.ratio_to_libvips", small, "ratio", "<= 2"),
        Result("media.peak_rss_mb", peak_mb, "MB", "<= 200"),
    ]


async def _ratio(decoders: DecoderPool, content: bytes, runs: int) -> float:
    ratios = []
    for _ in range(_WARM_UP + runs):
        started = time.perf_counter()
        _bare(content)
        between = time.perf_counter()
        examined = await examine(decoders, _LIMITS, content)
        ratios.append((time.perf_counter() - between) / (between - started))
        if examined.accepted is None:
            raise RuntimeError(f"the image was rejected: {examined.rejections}")
    return statistics.median(ratios[_WARM_UP:])


def _bare(content: bytes) -> None:
    side = _LIMITS.fit_within
    image = pyvips.Image.thumbnail_buffer(content, side, height=side, size="down")
    image.jpegsave_buffer(Q=88, keep="none")


def _photo(width: int, height: int) -> bytes:
    """Like a photograph to a codec: gradients, soft shapes, and grain on all of it."""
    xy = pyvips.Image.xyz(width, height)
    light = (xy[0] * 80 / width).bandjoin([xy[1] * 80 / height, 40])
    shapes = [
        pyvips.Image.gaussnoise(48, 32, mean=90, sigma=50, seed=seed).resize(
            width / 48, vscale=height / 32, kernel="cubic"
        )
        for seed in range(3)
    ]
    grain = pyvips.Image.gaussnoise(width, height, mean=0, sigma=7, seed=3)
    photo = light + shapes[0].bandjoin(shapes[1:]) + grain
    encoded: bytes = photo.cast("uchar").copy(interpretation="srgb").jpegsave_buffer(Q=90)
    return encoded


def _peak_rss_mb() -> float:
    """Of the decoder, since it was started."""
    (decoder,) = psutil.Process().children()
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{decoder.pid}/status").read_text())
    if found is None:
        raise RuntimeError("the kernel tells no peak")
    return int(found[1]) / 1024
