"""A few decoder processes, started ahead of need, watched, and replaced when they die.

What a decoder may do, and how it is confined, is in `services.media.decoder`.
"""

import asyncio
import itertools
import os
import sys
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

import structlog
from opentelemetry import trace

from services.media.frames import LENGTHS, MAXIMUM_HEAD_BYTES, PIPE_BYTES, Order, Report, frame
from services.media.headers import format_of

log = structlog.get_logger()
_tracer = trace.get_tracer(__name__)

# Two threads an image: one computes what the other encodes. Beyond that, images are decoded side by
# side. Warnings of libvips are answers to the caller, not ours to print.
_ENVIRONMENT = {
    "LANG": "C.UTF-8",
    "VIPS_CONCURRENCY": "2",
    "VIPS_WARNING": "0",
    "MALLOC_ARENA_MAX": "1",  # an arena reserves address space, which is limited
}


@dataclass(frozen=True)
class Confinement:
    """What a decoder may use for one image."""

    memory_bytes: int
    cpu_seconds: int
    wall_seconds: float


# Where nothing else is configured. The clock stays below the deadline of the call that waits.
CONFINEMENT = Confinement(memory_bytes=1536 * 1024 * 1024, cpu_seconds=8, wall_seconds=10.0)


class _Died(Exception):
    """The decoder ended, or spoke nonsense."""


class DecoderPool:
    """Open and close it in the event loop that uses it."""

    def __init__(self, confinement: Confinement, *, size: int = 2) -> None:
        self._confinement = confinement
        self._size = size
        # None stands for a decoder that has to be started first.
        self._idle: asyncio.Queue[_Decoder | None] = asyncio.Queue()

    async def __aenter__(self) -> Self:
        for _ in range(self._size):
            self._idle.put_nowait(await _Decoder.start(self._confinement))
        return self

    async def __aexit__(self, *exc: object) -> None:
        while not self._idle.empty():
            if decoder := self._idle.get_nowait():
                await decoder.end()

    async def inspect(self, content: bytes, order: Order) -> tuple[Report, list[bytes]]:
        """What `content` is, and its clean copies; an image that breaks its decoder is reported."""
        with _tracer.start_as_current_span("decode image") as span:
            span.set_attribute("image.size_bytes", len(content))
            try:
                try:
                    return await self._try(content, order)
                except _Died:
                    # Somebody else may have killed it: a second death is the image's doing.
                    return await self._try(content, order)
            except _Died:
                problem = "decoding it takes more memory or time than is allowed"
            except TimeoutError:
                problem = f"decoding takes over {self._confinement.wall_seconds:g} seconds"
        return Report(format=format_of(content), found="undecodable", problem=problem), []

    async def _try(self, content: bytes, order: Order) -> tuple[Report, list[bytes]]:
        """With any decoder that is free; it goes back unless it failed, or was left half-way."""
        decoder = await self._idle.get()
        is_reusable = False
        try:
            if decoder is None or not decoder.is_alive:
                decoder = await _Decoder.start(self._confinement)
            async with asyncio.timeout(self._confinement.wall_seconds):
                answer = await decoder.ask(content, order)
            is_reusable = True
            return answer
        finally:
            self._idle.put_nowait(decoder if is_reusable else None)
            if decoder is not None and not is_reusable:
                log.warning("decoder_replaced", pid=decoder.pid)
                await decoder.end()


class _Decoder:
    """One decoder process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        if process.stdin is None or process.stdout is None:
            raise AssertionError("pipes were asked for")
        self._orders, self._reports = process.stdin, process.stdout

    @classmethod
    async def start(cls, confinement: Confinement) -> Self:
        environment = _ENVIRONMENT | {
            name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "services.media.decoder",
            *(str(os.getpid()), str(confinement.memory_bytes), str(confinement.cpu_seconds)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=PIPE_BYTES,
            env=environment,  # no secret of ours
            start_new_session=True,  # a terminal's Ctrl-C is for the server to answer
        )
        return cls(process)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        return self._process.returncode is None

    async def ask(self, content: bytes, order: Order) -> tuple[Report, list[bytes]]:
        try:
            self._orders.write(frame(order.to_json(), len(content)))
            self._orders.write(content)
            await self._orders.drain()
            lengths = await self._reports.readexactly(LENGTHS.size)
            head_length, copies_length = LENGTHS.unpack(lengths)
            # Whoever took the decoder over must not get at our memory.
            if head_length > MAXIMUM_HEAD_BYTES or copies_length > 4 * order.maximum_bytes:
                raise _Died
            report = Report.from_json(await self._reports.readexactly(head_length))
            return report, _split(report, await self._reports.readexactly(copies_length))
        except (OSError, EOFError, ValueError, TypeError, KeyError) as error:
            raise _Died from error

    async def end(self) -> None:
        with suppress(ProcessLookupError):
            self._process.kill()
        self._orders.close()
        await self._process.communicate()


def _split(report: Report, content: bytes) -> list[bytes]:
    ends = list(itertools.accumulate(copy.size_bytes for copy in report.copies))
    if len(content) != (ends[-1] if ends else 0):
        raise _Died
    return [content[start:end] for start, end in itertools.pairwise([0, *ends])]
