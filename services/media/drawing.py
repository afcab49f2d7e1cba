"""What is made of a decoded picture, in the decoder's process: clean copies, and its dHash.

No copy holds anything that is not pixels.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pyvips

from services.media.frames import Copy, Order, Report
from services.media.headers import Format

_CONTENT_TYPES = {Format.JPEG: "image/jpeg", Format.PNG: "image/png"}
# In the order tried until the result is short enough. All drop EXIF, XMP, ICC and comments. Making
# coding tables to measure would take longer than decoding did, for 5 % of the bytes.
_ENCODINGS: dict[Format, tuple[dict[str, Any], ...]] = {
    Format.JPEG: ({"Q": 88}, *({"Q": quality, "optimize_coding": True} for quality in (70, 45))),
    Format.PNG: ({"compression": 7}, {"compression": 7, "palette": True}),
}
# The same for what feeds and lists show; the last is for a small original of few colours.
_RENDITION_ENCODINGS: dict[Format, tuple[dict[str, Any], ...]] = {
    Format.JPEG: (
        {"Q": 80},
        {"Q": 60, "optimize_coding": True},
        {"Q": 40, "optimize_coding": True},
    ),
    Format.PNG: (
        {"compression": 6},
        {"compression": 9, "palette": True},
        {"compression": 9, "palette": True, "bitdepth": 4, "dither": 0},
    ),
}
_DOTS_PER_MM = 72 / 25.4
# A dHash compares neighbours among 9 by 8 grey cells.
_COLUMNS, _ROWS = 9, 8
# Of 64 comparisons, so many must be between cells that differ by more than noise, in steps of 256:
# a plain surface with a small mark on it looks like every other one.
_TELLING, _NOISE = 16, 2


def draw(picture: pyvips.Image, order: Order, report: Report) -> list[bytes]:
    """The clean copy and the renditions of a whole picture in memory; fills in the rest of
    `report`.

    Raises:
        pyvips.Error: an encoder failed, for want of memory.
    """
    kind = report.format
    if kind is None:
        raise AssertionError("a picture was decoded from some format")
    # Copies are encoded while the next is scaled: together that takes as long as decoding did.
    with ThreadPoolExecutor(1) as encoding:
        drawn = {0: picture}
        encoded = [encoding.submit(_encoded, picture, _ENCODINGS[kind], kind, order.maximum_bytes)]
        for side, smaller in _smaller(picture, order.renditions):
            drawn[side] = picture = smaller
            encoded.append(encoding.submit(_encoded, smaller, _RENDITION_ENCODINGS[kind][:1], kind))
        report.dhash = dhash(picture)
        contents = [one.result() for one in encoded]
    report.content_type = _CONTENT_TYPES[kind]
    for number, (side, image) in enumerate(drawn.items()):
        if len(contents[number]) > len(contents[0]):
            shorter = _RENDITION_ENCODINGS[kind][1:]
            contents[number] = _encoded(image, shorter, kind, len(contents[0]))
        report.copies.append(Copy(side, len(contents[number]), image.width, image.height))
    return contents


def displayable(image: pyvips.Image) -> pyvips.Image:
    """8 bit sRGB, or grey; CMYK, 16 bit and other colour spaces are converted."""
    space = "b-w" if image.interpretation in ("b-w", "grey16") else "srgb"
    # To 8 bit before the profile is applied, which leaves 16 bit transparency as it is.
    image = image.colourspace(space) if image.format != "uchar" else image
    if image.get_typeof("icc-profile-data"):
        with suppress(pyvips.Error):  # a profile that is no good is ignored, as browsers do
            image = image.icc_transform("srgb", embedded=True)
    # Encoders write a resolution, always: let it be the same for all.
    return image.colourspace(space).copy(xres=_DOTS_PER_MM, yres=_DOTS_PER_MM)


def _smaller(picture: pyvips.Image, sides: Sequence[int]) -> Iterator[tuple[int, pyvips.Image]]:
    """By side, where the picture does not fit it; each from the one before, which has all that it
    needs."""
    for side in sides:
        if max(picture.width, picture.height) > side:
            picture = _fitted(picture, side)
            yield side, picture


def _fitted(picture: pyvips.Image, side: int) -> pyvips.Image:
    if picture.hasalpha():
        # What is transparent must not colour what is beside it: this weighs it.
        return picture.thumbnail_image(side, height=side, size="down").copy_memory()
    scale = side / max(picture.width, picture.height)
    return picture.resize(scale, kernel="linear").copy_memory()


def _encoded(
    image: pyvips.Image, encodings: Sequence[dict[str, Any]], kind: Format, maximum_bytes: int = 0
) -> bytes:
    """By the first encoding that is short enough, else by the last."""
    save = image.jpegsave_buffer if kind is Format.JPEG else image.pngsave_buffer
    content = b""
    for encoding in encodings:
        content = save(keep="none", **encoding)
        if len(content) <= maximum_bytes:
            break
    return content


def dhash(picture: pyvips.Image) -> int | None:
    """64 bits, row by row: whether a cell is brighter than the one to its right. None when the
    picture is too flat for that to tell anything."""
    opaque = picture.flatten(background=255) if picture.hasalpha() else picture
    # Without a gap every pixel has its share, at less cost.
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
    if sum(abs(step) > _NOISE for step in steps) < _TELLING:
        return None
    return int("".join("1" if step > 0 else "0" for step in steps), 2)
