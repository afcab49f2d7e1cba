"""Encodes the copies of a decoded image and computes its dHash, in the decoder's process.

Copies hold pixels only: no EXIF, XMP, ICC or comments.
"""

import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pyvips

from services.media.images.headers import Format
from services.media.images.messages import Copy, DecodeReport, DecodeRequest

# A format and the options of libvips' saver.
_Encoding = tuple[Format, dict[str, Any]]
# Tried in this order until the result is short enough. Optimised coding tables for the first would
# take longer than decoding, for 5 % of the bytes.
_JPEG: tuple[_Encoding, ...] = (
    (Format.JPEG, {"Q": 88}),
    (Format.JPEG, {"Q": 70, "optimize_coding": True}),
    (Format.JPEG, {"Q": 45, "optimize_coding": True}),
)
# Lossless; the first suits photographs, the second drawings.
_PNG: tuple[_Encoding, ...] = (
    (Format.PNG, {"compression": 6, "filter": "all"}),
    (Format.PNG, {"compression": 6, "filter": "none"}),
)
# Compression 9 takes 0.7 s of CPU time a megapixel and saves less than 10 % of the bytes; making a
# palette takes 0.55 s a megapixel. A palette is tried first for small drawings, last for larger
# ones; both are skipped above their maximum.
_HARDER: _Encoding = (Format.PNG, {"compression": 9, "filter": "all"})
_HARDER_MAXIMUM_PIXELS = 4_000_000
_PALETTE_MAXIMUM_PIXELS, _PALETTE_AT_ONCE_PIXELS = 6_000_000, 2_000_000
# For renditions. The last is for a small original of few colours.
_OPAQUE_RENDITION: tuple[_Encoding, ...] = (
    (Format.JPEG, {"Q": 80}),
    (Format.JPEG, {"Q": 60, "optimize_coding": True}),
    (Format.JPEG, {"Q": 40, "optimize_coding": True}),
    (Format.PNG, {"compression": 9, "palette": True, "bitdepth": 4, "dither": 0}),
)
_TRANSPARENT_RENDITION: tuple[_Encoding, ...] = (
    (Format.PNG, {"compression": 6, "filter": "all"}),
    (Format.PNG, {"compression": 9, "palette": True}),
    (Format.PNG, {"compression": 9, "palette": True, "bitdepth": 4, "dither": 0}),
)
_OPAQUE = 255
_DOTS_PER_MM = 72 / 25.4
# A dHash compares horizontal neighbours in a grid of 9 by 8 grey cells.
_COLUMNS, _ROWS = 9, 8
# At least 16 of the 64 comparisons must differ by more than 2 of 256 grey levels (noise). All plain
# surfaces with a small mark would have similar hashes.
_MINIMUM_STEPS, _NOISE = 16, 2


def draw(picture: pyvips.Image, request: DecodeRequest, report: DecodeReport) -> list[bytes]:
    """Encodes the clean copy and the renditions; completes `report`.

    Raises:
        pyvips.Error: an encoder ran out of memory.
    """
    picture = _without_needless_alpha(picture)
    encodings = _encodings(picture, request, report)
    rendition = _TRANSPARENT_RENDITION if picture.hasalpha() else _OPAQUE_RENDITION
    # Each copy is encoded while the next is scaled: together they take as long as decoding.
    with ThreadPoolExecutor(1) as encoding:
        drawn = {0: picture}
        encoded = [encoding.submit(_clean, picture, encodings, request.maximum_bytes)]
        for side, smaller in _smaller(picture, request.renditions):
            drawn[side] = picture = smaller
            encoded.append(encoding.submit(_encoded, smaller, rendition[:1]))
        report.dhash = dhash(picture)
        results = [one.result() for one in encoded]
    for number, (side, image) in enumerate(drawn.items()):
        if len(results[number][1]) > len(results[0][1]):
            results[number] = _encoded(image, rendition[1:], len(results[0][1]))
        kind, content = results[number]
        report.copies.append(Copy(side, kind, len(content), image.width, image.height))
    return [content for _, content in results]


def _without_needless_alpha(picture: pyvips.Image) -> pyvips.Image:
    if picture.hasalpha() and picture.extract_band(picture.bands - 1).min() == _OPAQUE:
        return picture.extract_band(0, n=picture.bands - 1).copy_memory()
    return picture


def _encodings(
    picture: pyvips.Image, request: DecodeRequest, report: DecodeReport
) -> Sequence[_Encoding]:
    """Encodings to try for the clean copy, none of which reduces its colours."""
    if report.format is Format.JPEG:
        return _JPEG
    lossless = list(_PNG)
    pixels = picture.width * picture.height
    bits = picture.get("bits-per-sample") if picture.get_typeof("bits-per-sample") else 8
    has_palette = picture.get_typeof("palette") and picture.get("palette")
    is_scaled = max(report.width, report.height) > (request.fit_within or sys.maxsize)
    if has_palette and not is_scaled and pixels <= _PALETTE_MAXIMUM_PIXELS:
        palette = {"palette": True, "dither": 0, "bitdepth": bits, "compression": 6}
        is_small = pixels <= _PALETTE_AT_ONCE_PIXELS
        lossless.insert(0 if is_small else len(lossless), (Format.PNG, palette))
    elif bits < 8 and not is_scaled and not has_palette:
        lossless.insert(0, (Format.PNG, {"bitdepth": bits, "compression": 6}))
    if not picture.hasalpha():
        # Too long as a PNG, and without transparency: a photograph, for which JPEG will do.
        return (*lossless, *_JPEG[:1])
    return (*lossless, _HARDER) if pixels <= _HARDER_MAXIMUM_PIXELS else lossless


def displayable(image: pyvips.Image) -> pyvips.Image:
    """Converts to 8 bit sRGB, or grey: CMYK, 16 bit and other colour spaces."""
    space = "b-w" if image.interpretation in ("b-w", "grey16") else "srgb"
    # To 8 bit first: icc_transform would leave a 16 bit alpha channel as it is.
    image = image.colourspace(space) if image.format != "uchar" else image
    if image.get_typeof("icc-profile-data"):
        with suppress(pyvips.Error):  # an invalid profile is ignored, as browsers do
            image = image.icc_transform("srgb", embedded=True)
    # Encoders always write a resolution: 72 dpi in every copy.
    return image.colourspace(space).copy(xres=_DOTS_PER_MM, yres=_DOTS_PER_MM)


def _smaller(picture: pyvips.Image, sides: Sequence[int]) -> Iterator[tuple[int, pyvips.Image]]:
    """The image scaled to each side that it does not fit, each from the one before."""
    for side in sides:
        if max(picture.width, picture.height) > side:
            picture = _fitted(picture, side)
            yield side, picture


def _fitted(picture: pyvips.Image, side: int) -> pyvips.Image:
    if picture.hasalpha():
        # Premultiplies alpha, so that transparent pixels do not tint their neighbours.
        return picture.thumbnail_image(side, height=side, size="down").copy_memory()
    scale = side / max(picture.width, picture.height)
    return picture.resize(scale, kernel="linear").copy_memory()


def _clean(
    image: pyvips.Image, encodings: Sequence[_Encoding], maximum_bytes: int
) -> tuple[Format, bytes]:
    """Uses the first encoding that is short enough and lossless in colours, else the shortest."""
    tried: list[tuple[Format, bytes]] = []
    for encoding in encodings:
        kind, content = _encoded(image, [encoding])
        is_short = len(content) <= maximum_bytes
        if "bitdepth" in encoding[1] and not (is_short and _is_same(image, content)):
            continue
        tried.append((kind, content))
        if is_short:
            break
    return min(tried, key=lambda one: len(one[1]))


def _is_same(image: pyvips.Image, content: bytes) -> bool:
    """Whether every pixel is kept: a palette is computed anew and may be too small."""
    source = pyvips.Source.new_from_memory(content)
    again = pyvips.Image.pngload_source(source, access="sequential")
    return bool(again.bands == image.bands and (again != image).max() == 0)


def _encoded(
    image: pyvips.Image, encodings: Sequence[_Encoding], maximum_bytes: int = 0
) -> tuple[Format, bytes]:
    """Uses the first encoding that is short enough, else the last."""
    kind, content = encodings[0][0], b""
    for kind, options in encodings:
        save = image.jpegsave_buffer if kind is Format.JPEG else image.pngsave_buffer
        content = save(keep="none", **options)
        if len(content) <= maximum_bytes:
            break
    return kind, content


def dhash(picture: pyvips.Image) -> int | None:
    """64 bits, row by row: whether a cell is brighter than the one to its right. None for an image
    with too little contrast."""
    opaque = picture.flatten(background=255) if picture.hasalpha() else picture
    # gap=0 averages every pixel, at less cost.
    scaled = opaque.resize(
        _COLUMNS / opaque.width, vscale=_ROWS / opaque.height, kernel="linear", gap=0
    )
    cells = scaled.colourspace("b-w")
    grey = bytes(cells.write_to_memory())
    steps = [
        grey[row * _COLUMNS + column] - grey[row * _COLUMNS + column + 1]
        for row in range(_ROWS)
        for column in range(_COLUMNS - 1)
    ]
    if sum(abs(step) > _NOISE for step in steps) < _MINIMUM_STEPS:
        return None
    return int("".join("1" if step > 0 else "0" for step in steps), 2)
