"""The time to validate an image, compared with bare libvips; and the decoder's peak memory.

Bare libvips makes one copy in this process, with its default number of threads: it scales the image
down while loading it, and encodes it. Validation decodes it in a confined process, requires that it
is complete, makes renditions and a perceptual hash as well, and hashes every copy. Runs alternate,
so that other load on the machine affects both alike.
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
from services.media.uploads.image_validator import validate_image

_LARGE = (6000, 4000)
_SMALL = (1500, 720)
_LARGE_RUNS, _SMALL_RUNS = 15, 60
_WARM_UP = 3
_LIMITS = limits_of(Purpose.IMAGE, IMAGE_MAXIMUM_BYTES)


async def results() -> list[Result]:
    pyvips.cache_set_max(0)  # else a second run would be served from the cache
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
        verdict = await validate_image(decoders.decode, _LIMITS, content)
        ratios.append((time.perf_counter() - between) / (between - started))
        if verdict.accepted is None:
            raise RuntimeError(f"the image was rejected: {verdict.rejections}")
    return statistics.median(ratios[_WARM_UP:])


def _bare(content: bytes) -> None:
    side = _LIMITS.fit_within
    image = pyvips.Image.thumbnail_buffer(content, side, height=side, size="down")
    image.jpegsave_buffer(Q=88, keep="none")


def _photo(width: int, height: int) -> bytes:
    """An image that compresses like a photograph: gradients, soft shapes, and grain."""
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
    """Peak memory of the decoder since its start."""
    (decoder,) = psutil.Process().children()
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{decoder.pid}/status").read_text())
    if found is None:
        raise RuntimeError("the kernel reports no peak")
    return int(found[1]) / 1024
