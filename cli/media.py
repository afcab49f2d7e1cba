"""`liaison media inspect`: files judged as uploads are, by the same decoders. No server."""

import asyncio
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import structlog
import typer

from services.media.decoder_pool import CONFINEMENT, DecoderPool
from services.media.images import (
    IMAGE_MAXIMUM_BYTES,
    Limits,
    Purpose,
    limits_of,
    rejections,
)

# Exit codes, from good to bad.
_ACCEPTED, _REJECTED, _UNREADABLE = 0, 1, 2


def inspect_files(purpose: str, files: Sequence[str]) -> int:
    """Prints one JSON line a file; answers with the exit code."""
    # What the pool logs must not come between the lines.
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    return asyncio.run(_inspect(limits_of(Purpose(purpose.upper()), IMAGE_MAXIMUM_BYTES), files))


async def _inspect(limits: Limits, files: Sequence[str]) -> int:
    worst = _ACCEPTED
    async with DecoderPool(CONFINEMENT, size=1) as decoders:
        for file in files:
            try:
                size_bytes, content = _beginning(Path(file), limits.maximum_bytes + 1)
            except OSError as error:
                typer.echo(f"{file}: {error.strerror or error}", err=True)
                worst = _UNREADABLE
                continue
            line = await _judged(decoders, limits, size_bytes, content)
            typer.echo(json.dumps({"file": file, **line}))
            worst = max(worst, _REJECTED if line["reasons"] else _ACCEPTED)
    return worst


def _beginning(path: Path, maximum_bytes: int) -> tuple[int, bytes]:
    """A file's length, and at most so many bytes of it."""
    with path.open("rb", buffering=0) as file:
        content = bytearray()
        # A pipe gives what it has.
        while len(content) < maximum_bytes and (more := file.read(maximum_bytes - len(content))):
            content += more
        return max(len(content), os.fstat(file.fileno()).st_size), bytes(content)


async def _judged(
    decoders: DecoderPool, limits: Limits, size_bytes: int, content: bytes
) -> dict[str, object]:
    order = replace(limits.order, renditions=())
    if size_bytes > limits.maximum_bytes:
        # It is rejected, and its end was not read: the header tells what else is wrong.
        order = replace(order, is_header_only=True)
    report, _ = await decoders.inspect(content, order)
    found = rejections(limits, size_bytes, report)
    return {
        "verdict": "REJECTED" if found else "ACCEPTED",
        "reasons": list(dict.fromkeys(rejection.code for rejection in found)),
        "format": report.format,
        "width": report.width or None,
        "height": report.height or None,
    }
