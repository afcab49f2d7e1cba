"""Probers of videos, as a pool of processes, and the bytes that they ask for.

What a prober may do, and how it is confined, is in `services.media.videos.prober`.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Self

from opentelemetry import trace

from servicekit.errors import Reason, Unavailable
from services.media.sandbox.confinement import Confinement
from services.media.sandbox.process_pool import ConfinedProcess, Died, ProcessPool
from services.media.videos.messages import (
    MAXIMUM_POSTER_BYTES,
    MAXIMUM_READ_BYTES,
    ProbeOrder,
    ProbeReport,
    Question,
    from_prober,
)

# Offset and length, both within the video.
ReadRange = Callable[[int, int], Awaitable[bytes]]

_tracer = trace.get_tracer(__name__)

# A video without an index is read as a whole, and its beginning twice; who reads more goes in
# circles.
_MAXIMUM_READS = 4096
_READ_BESIDES_BYTES = 16 * 1024 * 1024


# Where nothing else is configured. The time that storage takes is not on this clock.
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

    async def probe(self, read: ReadRange, order: ProbeOrder) -> tuple[ProbeReport, bytes]:
        """What the video is, and its poster frame, a JPEG that is still to be sanitised; a video
        that breaks its prober is reported. What `read` raises is raised.

        Raises:
            Unavailable: it took too long by the clock, which is as likely the machine's doing.
        """

        async def ask(prober: ConfinedProcess) -> tuple[ProbeReport, bytes]:
            return await _Conversation(prober, read, order, self._wall_seconds).hold()

        with _tracer.start_as_current_span("probe video") as span:
            span.set_attribute("video.size_bytes", order.size_bytes)
            try:
                return await self._processes.converse(ask)
            except Died:
                problem = "reading it takes more memory or time than is allowed"
            except _ReadsTooMuch:
                problem = "its parts lie so that it has to be read again and again"
            except _TooSlow:
                raise Unavailable(
                    Reason.DEPENDENCY_UNAVAILABLE,
                    f"The video was not read within {self._wall_seconds:g} seconds; try again",
                ) from None
        return ProbeReport(problem=problem), b""


class _ReadsTooMuch(Exception):
    """The prober asked for more than any video needs."""


class _TooSlow(Exception):
    """The prober took too long, storage's time not counted."""


class _Conversation:
    """With one prober, about one video."""

    def __init__(
        self, prober: ConfinedProcess, read: ReadRange, order: ProbeOrder, wall_seconds: float
    ) -> None:
        self._prober = prober
        self._read = read
        self._order = order
        self._left_seconds = wall_seconds
        self._left_reads = _MAXIMUM_READS
        self._left_bytes = 2 * order.size_bytes + _READ_BESIDES_BYTES

    async def hold(self) -> tuple[ProbeReport, bytes]:
        await self._prober.send(self._order.to_json(), b"")
        while True:
            said, poster = await self._listen()
            if isinstance(said, ProbeReport):
                return said, poster
            await self._prober.send(b"{}", await self._answer(said))

    async def _listen(self) -> tuple[Question | ProbeReport, bytes]:
        loop = asyncio.get_running_loop()
        since = loop.time()
        try:
            async with asyncio.timeout(self._left_seconds):
                head, poster = await self._prober.receive(MAXIMUM_POSTER_BYTES)
        except TimeoutError:
            raise _TooSlow from None
        self._left_seconds -= loop.time() - since
        try:
            return from_prober(head), poster
        except ValueError as error:
            raise Died from error

    async def _answer(self, question: Question) -> bytes:
        if not 0 < question.length <= MAXIMUM_READ_BYTES:
            raise Died
        if question.offset + question.length > self._order.size_bytes:
            raise Died
        self._left_reads -= 1
        self._left_bytes -= question.length
        if self._left_reads < 0 or self._left_bytes < 0:
            raise _ReadsTooMuch
        return await self._read(question.offset, question.length)
