"""Decoders of images, as a pool of processes.

What a decoder may do, and how it is confined, is in `services.media.decoder`.
"""

import asyncio
import itertools
from typing import Self

from opentelemetry import trace

from services.media.confinement import Confinement
from services.media.frames import Order, Report
from services.media.headers import format_of
from services.media.process_pool import ConfinedProcess, Died, ProcessPool

_tracer = trace.get_tracer(__name__)

# Two threads an image: one computes what the other encodes. Beyond that, images are decoded side by
# side. Warnings of libvips are answers to the caller, not ours to print.
_ENVIRONMENT = {"VIPS_CONCURRENCY": "2", "VIPS_WARNING": "0"}
# Where nothing else is configured. The clock stays below the deadline of the call that waits.
CONFINEMENT = Confinement(memory_bytes=1536 * 1024 * 1024, cpu_seconds=8, wall_seconds=10.0)


class DecoderPool:
    """Open and close it in the event loop that uses it."""

    def __init__(self, confinement: Confinement, *, size: int = 2) -> None:
        self._wall_seconds = confinement.wall_seconds
        self._processes = ProcessPool(
            "services.media.decoder", confinement, size=size, environment=_ENVIRONMENT
        )

    async def __aenter__(self) -> Self:
        await self._processes.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._processes.__aexit__(*exc)

    async def inspect(self, content: bytes, order: Order) -> tuple[Report, list[bytes]]:
        """What `content` is, and its clean copies; an image that breaks its decoder is reported."""

        async def ask(decoder: ConfinedProcess) -> tuple[Report, list[bytes]]:
            async with asyncio.timeout(self._wall_seconds):
                await decoder.send(order.to_json(), content)
                head, copies = await decoder.receive(4 * order.maximum_bytes)
            try:
                report = Report.from_json(head)
                return report, _split(report, copies)
            except (ValueError, TypeError, KeyError) as error:
                raise Died from error

        with _tracer.start_as_current_span("decode image") as span:
            span.set_attribute("image.size_bytes", len(content))
            try:
                return await self._processes.converse(ask)
            except Died:
                problem = "decoding it takes more memory or time than is allowed"
            except TimeoutError:
                problem = f"decoding takes over {self._wall_seconds:g} seconds"
        return Report(format=format_of(content), found="undecodable", problem=problem), []


def _split(report: Report, content: bytes) -> list[bytes]:
    ends = list(itertools.accumulate(copy.size_bytes for copy in report.copies))
    if len(content) != (ends[-1] if ends else 0):
        raise Died
    return [content[start:end] for start, end in itertools.pairwise([0, *ends])]
