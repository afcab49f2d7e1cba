"""The image decoder: a confined worker process in which libvips reads untrusted bytes.

It speaks frames over standard input and output (`services.media.sandbox.frames`), holds no secret
and opens no file. Memory, CPU time and open files are limited here; the pool that started it
(`services.media.images.pool`) limits wall time and replaces it. It decodes, strips metadata and
reports; `services.media.images.rules` decides what is acceptable.

Every warning of libvips counts as damage: most warnings do not say what was lost. That includes
"invalid SOS parameters", which some phones' JPEGs cause and which loses nothing, because libvips
distinguishes errors from warnings, but not one warning from another.
"""

import fcntl
import sys
from contextlib import suppress
from typing import BinaryIO

import pyvips

from servicekit.process import die_with_parent
from services.media.images.drawing import displayable, draw
from services.media.images.headers import Format, description_of, format_of, stored_size
from services.media.images.messages import MEMORY, DecodeReport, DecodeRequest
from services.media.sandbox.confinement import confine, grant_cpu_seconds
from services.media.sandbox.frames import PIPE_BYTES, READY, read_frame, write_frame

_LOADERS = {Format.JPEG: "jpegload_source", Format.PNG: "pngload_source"}
_SIDEWAYS = range(5, 9)  # EXIF orientations that swap width and height


def widen_pipes() -> None:
    """Lets a small image pass in one write, without a context switch for each 64 KiB."""
    for stream in (sys.stdin, sys.stdout):
        with suppress(OSError):  # the user's limit of pipe memory is reached (pipe-user-pages-soft)
            fcntl.fcntl(stream, fcntl.F_SETPIPE_SZ, PIPE_BYTES)


def block_other_loaders() -> None:
    """Blocks all of libvips' loaders but JPEG and PNG: it chooses among them by content."""
    pyvips.operation_block_set("VipsForeignLoad", True)
    pyvips.operation_block_set("VipsForeignLoadJpeg", False)
    pyvips.operation_block_set("VipsForeignLoadPng", False)
    # The cache would hold up to 1 GB of earlier images.
    pyvips.cache_set_max(0)


def decode(content: bytes, request: DecodeRequest) -> tuple[DecodeReport, list[bytes]]:
    """Reports on `content`; with its clean copies if it decodes without a warning."""
    kind = format_of(content)
    if kind is None:
        return DecodeReport(found=description_of(content)), []
    report = DecodeReport(format=kind)
    size = stored_size(content, kind)
    if size and size[0] * size[1] > request.maximum_pixels:
        report.width, report.height = size
        return report, []
    try:
        header = _load(content, kind, "none")
        report.width, report.height = _displayed_size(header)
        if request.is_header_only or report.width * report.height > request.maximum_pixels:
            return report, []
        return report, draw(_load_upright(content, kind, request.fit_within), request, report)
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
    # A source, because loading from a buffer would copy it first.
    source = pyvips.Source.new_from_memory(content)
    return getattr(pyvips.Image, _LOADERS[kind])(source, access="sequential", fail_on=fail_on)


def _displayed_size(header: pyvips.Image) -> tuple[int, int]:
    is_sideways = header.get_typeof("orientation") and header.get("orientation") in _SIDEWAYS
    return (header.height, header.width) if is_sideways else (header.width, header.height)


def _load_upright(content: bytes, kind: Format, fit_within: int | None) -> pyvips.Image:
    """The whole image, upright, scaled down to `fit_within` while it is loaded."""
    image = _load(content, kind, "warning")
    if max(_displayed_size(image)) > (fit_within or sys.maxsize):
        # The option is passed as text: thumbnail_source has no parameter for it.
        image = pyvips.Image.thumbnail_source(
            pyvips.Source.new_from_memory(content),
            fit_within,
            height=fit_within,
            size="down",
            option_string="[fail_on=warning]",
        )
    # Decoded once into memory: rotation needs all rows, and every copy is made from this image.
    # Colours are converted first, since 16 bit pixels would take twice the memory.
    return displayable(image).copy_memory().autorot()


def _reason(error: pyvips.Error) -> str:
    """The library's own message, without the libvips prefix."""
    for line in str(error).splitlines():
        library, separator, text = line.strip().partition(": ")
        if separator and library.lower().startswith(("vips", "png", "jpeg")):
            return "".join(filter(str.isprintable, text))[:120]
    return "it does not decode"


def serve(requests: BinaryIO, reports: BinaryIO, cpu_seconds: int) -> None:
    """Serves requests until the pool closes the pipe."""
    while (frame := read_frame(requests)) is not None:
        head, content = frame
        grant_cpu_seconds(cpu_seconds)
        report, copies = decode(content, DecodeRequest.from_json(head))
        write_frame(reports, report.to_json(), copies)


def main(parent_pid: int, memory_bytes: int, cpu_seconds: int) -> None:
    die_with_parent(parent_pid)
    # Standard input, output and error.
    confine(memory_bytes, open_files=3)
    block_other_loaders()
    widen_pipes()
    write_frame(sys.stdout.buffer, READY, [])
    serve(sys.stdin.buffer, sys.stdout.buffer, cpu_seconds)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
