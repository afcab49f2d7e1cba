"""The decoder: a process apart, in which libvips reads bytes that a stranger sent.

It speaks frames over its standard input and output (`services.media.frames`), holds no secret and
opens no file. It is limited in memory, processor time and open files; the pool that started it
(`services.media.decoder_pool`) watches the clock and replaces it. What is acceptable is decided
elsewhere: this module decodes, strips and tells what it found.
"""

import sys
from contextlib import suppress
from typing import Any, BinaryIO

import pyvips

from servicekit.process import die_with_parent
from services.media.confinement import confine, grant_processor_time
from services.media.frames import READY, Order, Report, read_frame, write_frame
from services.media.headers import Format, description_of, format_of, stored_size

_LOADERS = {Format.JPEG: "jpegload_buffer", Format.PNG: "pngload_buffer"}
_CONTENT_TYPES = {Format.JPEG: "image/jpeg", Format.PNG: "image/png"}
# In the order tried until the result is short enough. All drop EXIF, XMP, ICC and comments.
_ENCODINGS: dict[Format, tuple[dict[str, Any], ...]] = {
    Format.JPEG: tuple({"Q": quality, "optimize_coding": True} for quality in (88, 70, 45)),
    Format.PNG: ({"compression": 7}, {"compression": 7, "palette": True}),
}
_TURNS_SIDES = range(5, 9)  # EXIF orientations that swap width and height


def close_doors() -> None:
    """Every loader is blocked but two: libvips finds GIF, TIFF, PDF and more by content."""
    pyvips.operation_block_set("VipsForeignLoad", True)
    pyvips.operation_block_set("VipsForeignLoadJpeg", False)
    pyvips.operation_block_set("VipsForeignLoadPng", False)
    # The cache would keep images of one stranger while another's is decoded, and 1 GB of them.
    pyvips.cache_set_max(0)


def inspect(content: bytes, order: Order) -> tuple[Report, bytes]:
    """What `content` is, and its clean copy when it decodes without a warning."""
    kind = format_of(content)
    if kind is None:
        return Report(found=description_of(content)), b""
    report = Report(format=kind)
    size = stored_size(content, kind)
    if size and size[0] * size[1] > order.maximum_pixels:
        report.width, report.height = size
        return report, b""
    try:
        header = _load(content, kind, "none")
        report.width, report.height = _displayed_size(header)
        if report.width * report.height > order.maximum_pixels:
            return report, b""
        return report, _clean(content, kind, order, report)
    except pyvips.Error as error:
        report.problem = _reason(error)
    return report, b""


def _load(content: bytes, kind: Format, fail_on: str) -> pyvips.Image:
    return getattr(pyvips.Image, _LOADERS[kind])(content, access="sequential", fail_on=fail_on)


def _displayed_size(header: pyvips.Image) -> tuple[int, int]:
    turned = header.get_typeof("orientation") and header.get("orientation") in _TURNS_SIDES
    return (header.height, header.width) if turned else (header.width, header.height)


def _clean(content: bytes, kind: Format, order: Order, report: Report) -> bytes:
    """The image anew, without anything that is not pixels; fills in the rest of `report`."""
    image = _load(content, kind, "warning")
    if max(_displayed_size(image)) > (order.fit_within or sys.maxsize):
        # Shrinks while it loads. The option must go in as text: the operation has none of its own.
        image = pyvips.Image.thumbnail_buffer(
            content,
            order.fit_within,
            height=order.fit_within,
            size="down",
            option_string="[fail_on=warning]",
        )
    # Decoded as a whole, and once: turning needs all rows, and an encoding may be tried again.
    # Colours go first, since 16 bit pixels would take twice the memory.
    image = _displayable(image).copy_memory().autorot()
    for encoding in _ENCODINGS[kind]:
        clean: bytes = (
            image.jpegsave_buffer(keep="none", **encoding)
            if kind is Format.JPEG
            else image.pngsave_buffer(keep="none", **encoding)
        )
        if len(clean) <= order.maximum_bytes:
            break
    report.clean_bytes = len(clean)
    report.content_type = _CONTENT_TYPES[kind]
    report.clean_width, report.clean_height = image.width, image.height
    return clean


def _displayable(image: pyvips.Image) -> pyvips.Image:
    """8 bit sRGB, or grey; CMYK, 16 bit and other colour spaces are converted."""
    space = "b-w" if image.interpretation in ("b-w", "grey16") else "srgb"
    # To 8 bit before the profile is applied, which leaves 16 bit transparency as it is.
    image = image.colourspace(space) if image.format != "uchar" else image
    if image.get_typeof("icc-profile-data"):
        with suppress(pyvips.Error):  # a profile that is no good is ignored, as browsers do
            image = image.icc_transform("srgb", embedded=True)
    return image.colourspace(space)


def _reason(error: pyvips.Error) -> str:
    """The decoder's own words, without libvips' names in front."""
    for line in str(error).splitlines():
        library, separator, text = line.strip().partition(": ")
        if separator and library.lower().startswith(("vips", "png", "jpeg")):
            return "".join(filter(str.isprintable, text))[:120]
    return "it does not decode"


def serve(requests: BinaryIO, reports: BinaryIO, cpu_seconds: int) -> None:
    """Answers each order until the pool closes the pipe."""
    while (frame := read_frame(requests)) is not None:
        head, content = frame
        grant_processor_time(cpu_seconds)
        report, clean = inspect(content, Order.from_json(head))
        write_frame(reports, report.to_json(), clean)


def main(parent_pid: int, memory_bytes: int, cpu_seconds: int) -> None:
    die_with_parent(parent_pid)
    confine(memory_bytes, open_files=16)
    close_doors()
    write_frame(sys.stdout.buffer, READY, b"")
    serve(sys.stdin.buffer, sys.stdout.buffer, cpu_seconds)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
