"""`liaison media inspect`: files judged as uploads are, by the same decoders and with the limits
that the service has where nothing else is configured. No server."""

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
from services.media.uploads.image_validator import Examination, examine

# Exit codes, from good to bad.
_ACCEPTED, _REJECTED, _UNREADABLE, _FAILED = 0, 1, 2, 3
_STANDARD_INPUT = "/dev/stdin"


class OutputFailed(Exception):
    """Nothing more can be written."""


def inspect_files(purpose: str, files: Sequence[str]) -> int:
    """Prints one JSON line a file; answers with the exit code."""
    # What the pool logs must not come between the lines.
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    # Ctrl-C ends even a read that waits; decoders end with this process.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    limits = limits_of(Purpose(purpose.upper()), IMAGE_MAXIMUM_BYTES)
    try:
        return asyncio.run(_inspect(limits, files))
    except OutputFailed as failure:
        if not isinstance(failure.__cause__, BrokenPipeError):
            _complain(f"standard output: {failure}")
    except RuntimeError as error:
        _complain(str(error))
    return _FAILED


async def _inspect(limits: Limits, files: Sequence[str]) -> int:
    worst = _ACCEPTED
    async with DecoderPool(CONFINEMENT, size=1, errors=subprocess.DEVNULL) as decoders:
        for file in files:
            try:
                size_bytes, content = _beginning(file, limits.maximum_bytes + 1)
                examined = await examine(decoders, limits, content, size_bytes)
            except OSError as error:
                _complain(f"{_shown(file) or repr(file)}: {error.strerror or error}")
                worst = max(worst, _UNREADABLE)
            except Unavailable as error:
                _complain(f"{_shown(file)}: {error.message}")
                worst = _FAILED
            else:
                _print({"file": _shown(file), **_line(examined)})
                worst = max(worst, _REJECTED if examined.rejections else _ACCEPTED)
    return worst


def _beginning(file: str, maximum_bytes: int) -> tuple[int, bytes]:
    """A file's length, and at most so many bytes of it.

    Raises:
        OSError: it cannot be read, or has no length: a device or a pipe may keep us waiting.
    """
    descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    with os.fdopen(descriptor, "rb", buffering=0) as opened:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode) and file != _STANDARD_INPUT:
            raise OSError(None, "no regular file: give what it holds to /dev/stdin")
        os.set_blocking(descriptor, True)
        content = bytearray()
        # A pipe gives what it has.
        while len(content) < maximum_bytes and (more := opened.read(maximum_bytes - len(content))):
            content += more
        return max(len(content), os.fstat(descriptor).st_size), bytes(content)


def _line(examined: Examination) -> dict[str, object]:
    report, found = examined.report, examined.rejections
    return {
        "verdict": "REJECTED" if found else "ACCEPTED",
        "reasons": list(dict.fromkeys(rejection.code for rejection in found)),
        "format": report.format,
        "width": report.width or None,
        "height": report.height or None,
    }


def _shown(file: str) -> str:
    r"""Bytes that are no UTF-8 as \xNN: JSON has no place for them."""
    return os.fsencode(file).decode(errors="backslashreplace")


def _print(line: dict[str, object]) -> None:
    """
    Raises:
        OutputFailed: nobody reads it, or there is no room for it.
    """
    if sys.stdout is None:
        raise OutputFailed("it is closed")
    try:
        typer.echo(json.dumps(line))
    except OSError as error:
        raise OutputFailed(error.strerror) from error


def _complain(text: str) -> None:
    typer.echo(text, err=True)
