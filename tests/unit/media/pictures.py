"""Generates small images."""

import random
import struct
import zlib
from typing import Any

import pyvips


def picture(width: int, height: int, **fields: Any) -> pyvips.Image:
    """A gradient in sRGB, with metadata `fields`."""
    xy = pyvips.Image.xyz(width, height)
    image = (
        (xy[0] * 255 / width)
        .bandjoin([xy[1] * 255 / height, 128])
        .cast("uchar")
        .copy(interpretation="srgb")
    )
    for name, value in fields.items():
        kind = pyvips.GValue.gint_type if isinstance(value, int) else pyvips.GValue.gstr_type
        image.set_type(kind, name.replace("_", "-"), value)
    return image


def jpeg(width: int = 800, height: int = 400, **fields: Any) -> bytes:
    encoded: bytes = picture(width, height, **fields).jpegsave_buffer(Q=90)
    return encoded


def png(width: int = 800, height: int = 400) -> bytes:
    encoded: bytes = picture(width, height).pngsave_buffer()
    return encoded


def opened(content: bytes) -> pyvips.Image:
    return pyvips.Image.new_from_buffer(content, "")


def photo(width: int, height: int, seed: int, grain: float = 6) -> pyvips.Image:
    """Soft patches of colour with noise on them, as photographs have; another for each seed.

    `grain` is the noise's standard deviation, of 256 steps.
    """
    cells = pyvips.Image.gaussnoise(16, 16, mean=128, sigma=60, seed=seed).bandjoin(
        [pyvips.Image.gaussnoise(16, 16, mean=128, sigma=60, seed=seed + n) for n in (1000, 2000)]
    )
    soft = cells.resize(width / 16, vscale=height / 16, kernel="cubic")
    noise = pyvips.Image.gaussnoise(width, height, mean=0, sigma=grain, seed=seed)
    return (soft + noise).cast("uchar").copy(interpretation="srgb")


def palette_png(width: int, height: int) -> bytes:
    """A few bytes with many pixels, in 256 random colours."""
    chance = random.Random(1)  # noqa: S311 - reproducible
    rows = [b"\0" + bytes(chance.choices(range(256), k=width)) for _ in range(8)]
    pixels = zlib.compress(b"".join(rows[row // 64 % 8] for row in range(height)), 1)
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    parts = ((b"IHDR", header), (b"PLTE", chance.randbytes(768)), (b"IDAT", pixels), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(kind, data) for kind, data in parts)


def chunk(kind: bytes, data: bytes) -> bytes:
    """Of a PNG (https://www.w3.org/TR/png-3/#5Chunk-layout)."""
    body = kind + data
    return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))
