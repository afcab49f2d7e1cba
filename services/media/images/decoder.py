"""The decoder: a process apart, in which libvips reads bytes that a stranger sent.

It speaks frames over its standard input and output (`services.media.sandbox.frames`), holds no
secret and opens no file. It is limited in memory, processor time and open files; the pool that
started it (`services.media.images.pool`) watches the clock and replaces it. What is acceptable is
decided elsewhere: this module decodes, strips and tells what it found.

Whatever libvips warns of is damage, by design: of most warnings nobody can tell what is lost. Even
"invalid SOS parameters", which some phones' JPEGs are known for and which loses nothing: libvips
tells errors from warnings, and not warnings from each other.
"""

import fcntl
import sys
from contextlib import suppress
from typing import BinaryIO

import pyvips

from servicekit.process import die_with_parent
from services.media.images.drawing import displayable, draw
from services.media.images.headers import Format, description_of, format_of, stored_size
from services.media.sandbox.confinement import confine, grant_processor_time
from services.media.sandbox.frames import (
    MEMORY,
    PIPE_BYTES,
    READY,
    Order,
    Report,
    read_frame,
    write_frame,
)

_LOADERS = {Format.JPEG: "jpegload_source", Format.PNG: "pngload_source"}
_TURNS_SIDES = range(5, 9)  # EXIF orientations that swap width and height


def widen_pipes() -> None:
    """A small image goes through in one piece, without a change of process for each 64 KiB."""
    for stream in (sys.stdin, sys.stdout):
        with suppress(OSError):  # a user who has many wide pipes gets no more of them
            fcntl.fcntl(stream, fcntl.F_SETPIPE_SZ, PIPE_BYTES)


def close_doors() -> None:
    """Every loader is blocked but two: libvips finds GIF, TIFF, PDF and more by content."""
    pyvips.operation_block_set("VipsForeignLoad", True)
    pyvips.operation_block_set("VipsForeignLoadJpeg", False)
    pyvips.operation_block_set("VipsForeignLoadPng", False)
    # The cache would keep images of one stranger while another's is decoded, and 1 GB of them.
    pyvips.cache_set_max(0)


def inspect(content: bytes, order: Order) -> tuple[Report, list[bytes]]:
    """What `content` is, and its clean copies when it decodes without a warning."""
    kind = format_of(content)
    if kind is None:
        return Report(found=description_of(content)), []
    report = Report(format=kind)
    size = stored_size(content, kind)
    if size and size[0] * size[1] > order.maximum_pixels:
        report.width, report.height = size
        return report, []
    try:
        header = _load(content, kind, "none")
        report.width, report.height = _displayed_size(header)
        if order.is_header_only or report.width * report.height > order.maximum_pixels:
            return report, []
        return report, draw(_decoded(content, kind, order.fit_within), order, report)
    except MemoryError:
        report.exhausted = MEMORY
    except pyvips.Error as error:
        reason = _reason(error)
        if "memory" in reason.lower():  # as libvips, libjpeg and libpng say it
            report.exhausted = MEMORY
        else:
            report.problem = reason
    report.copies.clear()
    return report, []


def _load(content: bytes, kind: Format, fail_on: str) -> pyvips.Image:
    # From a source: what loads from a buffer copies it first.
    source = pyvips.Source.new_from_memory(content)
    return getattr(pyvips.Image, _LOADERS[kind])(source, access="sequential", fail_on=fail_on)


def _displayed_size(header: pyvips.Image) -> tuple[int, int]:
    turned = header.get_typeof("orientation") and header.get("orientation") in _TURNS_SIDES
    return (header.height, header.width) if turned else (header.width, header.height)


def _decoded(content: bytes, kind: Format, fit_within: int | None) -> pyvips.Image:
    """The whole picture, upright, in the memory that its displayed pixels take."""
    image = _load(content, kind, "warning")
    if max(_displayed_size(image)) > (fit_within or sys.maxsize):
        # Shrinks while it loads. The option must go in as text: the operation has none of its own.
        image = pyvips.Image.thumbnail_source(
            pyvips.Source.new_from_memory(content),
            fit_within,
            height=fit_within,
            size="down",
            option_string="[fail_on=warning]",
        )
    # Decoded as a whole, and once: turning needs all rows, and copies are drawn from it in turn.
    # Colours go first, since 16 bit pixels would take twice the memory.
    return displayable(image).copy_memory().autorot()


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
        report, copies = inspect(content, Order.from_json(head))
        write_frame(reports, report.to_json(), copies)


def main(parent_pid: int, memory_bytes: int, cpu_seconds: int) -> None:
    die_with_parent(parent_pid)
    # Standard input, output and error.
    confine(memory_bytes, open_files=3)
    close_doors()
    widen_pipes()
    write_frame(sys.stdout.buffer, READY, [])
    serve(sys.stdin.buffer, sys.stdout.buffer, cpu_seconds)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
