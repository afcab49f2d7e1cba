"""Decoders of images, as a pool of processes.

What a decoder may do, and how it is confined, is in `services.media.images.decoder`.
"""

import asyncio
from typing import Self

from opentelemetry import trace

from servicekit.errors import Reason, Unavailable
from services.media.images.headers import format_of
from services.media.images.reports import from_decoder
from services.media.sandbox.confinement import Confinement
from services.media.sandbox.frames import PROCESSOR_TIME, Order, Report
from services.media.sandbox.process_pool import ConfinedProcess, Died, OutOfTime, ProcessPool

_tracer = trace.get_tracer(__name__)

# Two threads an image: one computes what the other encodes. Beyond that, images are decoded side by
# side. Warnings of libvips are answers to the caller, not ours to print.
_ENVIRONMENT = {"VIPS_CONCURRENCY": "2", "VIPS_WARNING": "0"}
# Where nothing else is configured. The clock stays below the deadline of the call that waits, and
# above the processor time, so that it stops an image only where the machine is busy.
CONFINEMENT = Confinement(memory_bytes=1536 * 1024 * 1024, cpu_seconds=8, wall_seconds=10.0)


class DecoderPool:
    """Open and close it in the event loop that uses it. `errors` is that of `ProcessPool`."""

    def __init__(
        self, confinement: Confinement, *, size: int = 2, errors: int | None = None
    ) -> None:
        self._wall_seconds = confinement.wall_seconds
        self._processes = ProcessPool(
            "services.media.images.decoder",
            confinement,
            size=size,
            environment=_ENVIRONMENT,
            errors=errors,
        )

    async def __aenter__(self) -> Self:
        await self._processes.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._processes.__aexit__(*exc)

    async def inspect(self, content: bytes, order: Order) -> tuple[Report, list[bytes]]:
        """What `content` is, and its clean copies; an image that breaks its decoder is reported.

        Raises:
            Unavailable: it took too long by the clock, which is as likely the machine's doing.
        """

        async def ask(decoder: ConfinedProcess) -> tuple[Report, list[bytes]]:
            async with asyncio.timeout(self._wall_seconds):
                await decoder.send(order.to_json(), content)
                head, copies = await decoder.receive(4 * order.maximum_bytes)
            try:
                return from_decoder(head, copies, content, order)
            except ValueError as error:
                raise Died from error

        with _tracer.start_as_current_span("decode image") as span:
            span.set_attribute("image.size_bytes", len(content))
            try:
                return await self._processes.converse(ask)
            except OutOfTime:
                report = Report(exhausted=PROCESSOR_TIME)
            except Died:
                report = Report(problem="it breaks its decoder")
            except TimeoutError:
                raise Unavailable(
                    Reason.DEPENDENCY_UNAVAILABLE,
                    f"The image was not decoded within {self._wall_seconds:g} seconds; try again",
                ) from None
        report.format, report.found = format_of(content), "undecodable"
        return report, []
