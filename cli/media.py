"""`liaison media validate`: validates image files as uploads are validated, without a server.

It uses the same decoders as the media service, and the service's default limits.
"""

import asyncio
import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Sequence

import structlog
import typer

from servicekit.errors import Unavailable
from services.media.images.pool import CONFINEMENT, DecoderPool
from services.media.images.rules import IMAGE_MAXIMUM_BYTES, Limits, Purpose, limits_of
from services.media.uploads.image_validator import ImageVerdict, validate_image

# Exit codes, from good to bad.
_ACCEPTED, _REJECTED, _UNREADABLE, _FAILED = 0, 1, 2, 3
_STANDARD_INPUT = "/dev/stdin"


class OutputFailed(Exception):
    """Standard output cannot be written."""


def validate_files(purpose: str, files: Sequence[str]) -> int:
    """Prints one JSON line for each file; returns the exit code."""
    # Log lines of the pool must not mix with the output.
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    # Ctrl-C must end a blocked read, too; decoders end with this process.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    limits = limits_of(Purpose(purpose.upper()), IMAGE_MAXIMUM_BYTES)
    try:
        return asyncio.run(_validate(limits, files))
    except OutputFailed as failure:
        if not isinstance(failure.__cause__, BrokenPipeError):
            _print_error(f"standard output: {failure}")
    except RuntimeError as error:
        _print_error(str(error))
    return _FAILED


async def _validate(limits: Limits, files: Sequence[str]) -> int:
    worst = _ACCEPTED
    async with DecoderPool(CONFINEMENT, size=1, errors=subprocess.DEVNULL) as decoders:
        for file in files:
            try:
                size_bytes, content = _read_beginning(file, limits.maximum_bytes + 1)
                verdict = await validate_image(decoders.decode, limits, content, size_bytes)
            except OSError as error:
                _print_error(f"{_display(file) or repr(file)}: {error.strerror or error}")
                worst = max(worst, _UNREADABLE)
            except Unavailable as error:
                _print_error(f"{_display(file)}: {error.message}")
                worst = _FAILED
            else:
                _print({"file": _display(file), **_line(verdict)})
                worst = max(worst, _REJECTED if verdict.rejections else _ACCEPTED)
    return worst


def _read_beginning(file: str, maximum_bytes: int) -> tuple[int, bytes]:
    """The file's length, and at most `maximum_bytes` bytes of its beginning.

    Raises:
        OSError: it cannot be read, or is a device or a pipe, which could block.
    """
    descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    with os.fdopen(descriptor, "rb", buffering=0) as opened:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode) and file != _STANDARD_INPUT:
            raise OSError(None, "not a regular file; use /dev/stdin")
        os.set_blocking(descriptor, True)
        content = bytearray()
        # A pipe may return fewer bytes than requested.
        while len(content) < maximum_bytes and (more := opened.read(maximum_bytes - len(content))):
            content += more
        return max(len(content), os.fstat(descriptor).st_size), bytes(content)


def _line(verdict: ImageVerdict) -> dict[str, object]:
    report, found = verdict.report, verdict.rejections
    return {
        "verdict": "REJECTED" if found else "ACCEPTED",
        "reasons": list(dict.fromkeys(rejection.code for rejection in found)),
        "format": report.format,
        "width": report.width or None,
        "height": report.height or None,
    }


def _display(file: str) -> str:
    r"""The file's name, with bytes that are not UTF-8 as \xNN, for JSON."""
    return os.fsencode(file).decode(errors="backslashreplace")


def _print(line: dict[str, object]) -> None:
    """Prints one JSON line.

    Raises:
        OutputFailed: the reader has gone, or the disk is full.
    """
    if sys.stdout is None:
        raise OutputFailed("it is closed")
    try:
        typer.echo(json.dumps(line))
    except OSError as error:
        raise OutputFailed(error.strerror) from error


def _print_error(text: str) -> None:
    typer.echo(text, err=True)
