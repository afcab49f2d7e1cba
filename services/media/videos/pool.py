"""The pool of video prober processes (`services.media.videos.prober`), and what they read."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Self

from opentelemetry import trace

from servicekit.errors import Reason, Unavailable
from services.media.sandbox.confinement import Confinement
from services.media.sandbox.process_pool import ConfinedProcess, ProcessDied, ProcessPool
from services.media.videos.messages import (
    MAXIMUM_POSTER_BYTES,
    MAXIMUM_READ_BYTES,
    ProbeReport,
    ProbeRequest,
    ReadRequest,
    parse_message,
)

# Offset and length, both within the video.
ReadRange = Callable[[int, int], Awaitable[bytes]]

_tracer = trace.get_tracer(__name__)

# A video without an index is read as a whole, and its beginning twice. A prober may read twice the
# length of the file and this much more.
_MAXIMUM_READS = 4096
_EXTRA_READ_BYTES = 16 * 1024 * 1024
# Defaults. Wall time excludes the time that storage takes.
CONFINEMENT = Confinement(memory_bytes=1024 * 1024 * 1024, cpu_seconds=8, wall_seconds=10.0)


class ProberPool:
    """Open and close it in the event loop that uses it."""

    def __init__(self, confinement: Confinement, *, size: int = 1) -> None:
        self._wall_seconds = confinement.wall_seconds
        self._processes = ProcessPool("services.media.videos.prober", confinement, size=size)

    async def __aenter__(self) -> Self:
        await self._processes.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._processes.__aexit__(*exc)

    async def probe(self, read: ReadRange, request: ProbeRequest) -> tuple[ProbeReport, bytes]:
        """Reports on a video, with its poster frame: a JPEG that is still to be sanitised. A video
        that crashes its prober gets a report with a `problem`. Exceptions of `read` propagate.

        Raises:
            Unavailable: it exceeded the wall time, as happens on a busy machine.
        """

        async def exchange(prober: ConfinedProcess) -> tuple[ProbeReport, bytes]:
            return await _Exchange(prober, read, request, self._wall_seconds).run()

        with _tracer.start_as_current_span("probe video") as span:
            span.set_attribute("video.size_bytes", request.size_bytes)
            try:
                return await self._processes.run(exchange)
            except ProcessDied:
                problem = "reading it takes more memory or time than is allowed"
            except _TooManyReads:
                problem = "it is laid out so that it has to be read again and again"
            except _TooSlow:
                raise Unavailable(
                    Reason.DEPENDENCY_UNAVAILABLE,
                    f"The video was not read within {self._wall_seconds:g} seconds; try again",
                ) from None
        return ProbeReport(problem=problem), b""


class _TooManyReads(Exception):
    """The prober requested more than any video needs."""


class _TooSlow(Exception):
    """The prober exceeded the wall time, without that of storage."""


class _Exchange:
    """The messages exchanged with one prober about one video."""

    def __init__(
        self, prober: ConfinedProcess, read: ReadRange, request: ProbeRequest, wall_seconds: float
    ) -> None:
        self._prober = prober
        self._read = read
        self._request = request
        self._left_seconds = wall_seconds
        self._left_reads = _MAXIMUM_READS
        self._left_bytes = 2 * request.size_bytes + _EXTRA_READ_BYTES

    async def run(self) -> tuple[ProbeReport, bytes]:
        await self._prober.send(self._request.to_json(), b"")
        while True:
            message, poster = await self._receive()
            if isinstance(message, ProbeReport):
                return message, poster
            await self._prober.send(b"{}", await self._read_range(message))

    async def _receive(self) -> tuple[ReadRequest | ProbeReport, bytes]:
        loop = asyncio.get_running_loop()
        since = loop.time()
        try:
            async with asyncio.timeout(self._left_seconds):
                head, poster = await self._prober.receive(MAXIMUM_POSTER_BYTES)
        except TimeoutError:
            raise _TooSlow from None
        self._left_seconds -= loop.time() - since
        try:
            return parse_message(head), poster
        except ValueError as error:
            raise ProcessDied from error

    async def _read_range(self, wanted: ReadRequest) -> bytes:
        if not 0 < wanted.length <= MAXIMUM_READ_BYTES:
            raise ProcessDied
        if wanted.offset + wanted.length > self._request.size_bytes:
            raise ProcessDied
        self._left_reads -= 1
        self._left_bytes -= wanted.length
        if self._left_reads < 0 or self._left_bytes < 0:
            raise _TooManyReads
        return await self._read(wanted.offset, wanted.length)
