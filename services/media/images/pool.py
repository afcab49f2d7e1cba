"""The pool of image decoder processes (`services.media.images.decoder`)."""

import asyncio
from typing import Self

from opentelemetry import trace

from servicekit.errors import Reason, Unavailable
from services.media.images.headers import format_of
from services.media.images.messages import PROCESSOR_TIME, DecodeReport, DecodeRequest
from services.media.images.reports import parse_report
from services.media.sandbox.confinement import Confinement
from services.media.sandbox.process_pool import (
    ConfinedProcess,
    CpuTimeExceeded,
    ProcessDied,
    ProcessPool,
)

_tracer = trace.get_tracer(__name__)

# Two threads for each image: one scales while the other encodes. More images are decoded in
# parallel processes. Warnings of libvips are reported, not printed.
_ENVIRONMENT = {"VIPS_CONCURRENCY": "2", "VIPS_WARNING": "0"}
# Defaults. Wall time is below the deadline of the waiting call, and above CPU time, so that it runs
# out first only on a busy machine.
CONFINEMENT = Confinement(memory_bytes=1536 * 1024 * 1024, cpu_seconds=8, wall_seconds=10.0)


class DecoderPool:
    """Open and close it in the event loop that uses it. `errors`: see `ProcessPool`."""

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

    async def decode(
        self, content: bytes, request: DecodeRequest
    ) -> tuple[DecodeReport, list[bytes]]:
        """Reports on `content`, with its clean copies. An image that crashes its decoder gets a
        report with a `problem`.

        Raises:
            Unavailable: it exceeded the wall time, as happens on a busy machine.
        """

        async def exchange(decoder: ConfinedProcess) -> tuple[DecodeReport, list[bytes]]:
            async with asyncio.timeout(self._wall_seconds):
                await decoder.send(request.to_json(), content)
                head, copies = await decoder.receive(4 * request.maximum_bytes)
            try:
                return parse_report(head, copies, content, request)
            except ValueError as error:
                raise ProcessDied from error

        with _tracer.start_as_current_span("decode image") as span:
            span.set_attribute("image.size_bytes", len(content))
            try:
                return await self._processes.run(exchange)
            except CpuTimeExceeded:
                report = DecodeReport(exhausted=PROCESSOR_TIME)
            except ProcessDied:
                report = DecodeReport(problem="it crashes its decoder")
            except TimeoutError:
                raise Unavailable(
                    Reason.DEPENDENCY_UNAVAILABLE,
                    f"The image was not decoded within {self._wall_seconds:g} seconds; try again",
                ) from None
        report.format, report.found = format_of(content), "undecodable"
        return report, []
