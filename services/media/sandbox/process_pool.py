"""A few processes for strangers' bytes, started ahead of need, watched, and replaced when they die.

Each speaks frames over its standard input and output (`services.media.sandbox.frames`). What is
said is its pool's business: `decoder_pool` for images, `video_probing` for videos, `text_detection`
for text in images.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Self, TypeVar

import structlog

from services.media.sandbox.confinement import Confinement
from services.media.sandbox.frames import LENGTHS, MAXIMUM_HEAD_BYTES, PIPE_BYTES, frame

T = TypeVar("T")

_DYING_SECONDS = 1.0

log = structlog.get_logger()

_SOURCE_ROOT = Path(__file__).resolve().parents[2]
_ENVIRONMENT = {
    # Ours names more than is needed, and what it leaves empty is the working directory.
    "PYTHONPATH": str(_SOURCE_ROOT),
    "LANG": "C.UTF-8",
    "MALLOC_ARENA_MAX": "1",  # an arena reserves address space, which is limited
}


class Died(Exception):
    """The process ended, or spoke nonsense."""


class OutOfTime(Died):
    """It ended because it had used up its processor time."""


class ConfinedProcess:
    """One process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        if process.stdin is None or process.stdout is None:
            raise AssertionError("pipes were asked for")
        self._orders, self._reports = process.stdin, process.stdout

    @classmethod
    async def start(
        cls,
        module: str,
        confinement: Confinement,
        environment: Mapping[str, str],
        errors: int | None,
    ) -> Self:
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-P",  # the working directory may be anybody's
                "-m",
                module,
                *(str(os.getpid()), str(confinement.memory_bytes), str(confinement.cpu_seconds)),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                limit=PIPE_BYTES,
                stderr=errors,
                env={**_ENVIRONMENT, **environment},  # no secret of ours
                start_new_session=True,  # a terminal's Ctrl-C is for the server to answer
            )
        except OSError as error:
            raise RuntimeError(f"{module} does not start: {error.strerror}") from error
        started = cls(process)
        try:
            await started.receive(0)
        except Died:
            # No file's doing: it must not be taken for one.
            await started.end()
            raise RuntimeError(f"{module} does not start") from None
        return started

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        return self._process.returncode is None

    async def send(self, head: bytes, content: bytes) -> None:
        """
        Raises:
            Died: nobody is there to read it.
        """
        try:
            self._orders.write(frame(head, len(content)))
            self._orders.write(content)
            await self._orders.drain()
        except OSError as error:
            raise await self._death() from error

    async def receive(self, maximum_bytes: int) -> tuple[bytes, bytes]:
        """A frame's head and content, which has at most `maximum_bytes`.

        Raises:
            Died: it has more, or there is none.
        """
        try:
            head_length, content_length = LENGTHS.unpack(
                await self._reports.readexactly(LENGTHS.size)
            )
            # Whoever took the process over must not get at our memory.
            if head_length > MAXIMUM_HEAD_BYTES or content_length > maximum_bytes:
                raise Died
            head = await self._reports.readexactly(head_length)
            return head, await self._reports.readexactly(content_length)
        except (OSError, EOFError) as error:
            raise await self._death() from error

    async def _death(self) -> Died:
        """A process whose pipes are closed ends by itself, unless somebody took it over. Killing it
        first would hide what it died of."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_DYING_SECONDS):
                await self._process.wait()
        await self.end()
        return OutOfTime() if self._process.returncode == -signal.SIGXCPU else Died()

    async def end(self) -> None:
        with suppress(ProcessLookupError):
            self._process.kill()
        self._orders.close()
        await self._process.communicate()


class ProcessPool:
    """Open and close it in the event loop that uses it."""

    def __init__(
        self,
        module: str,
        confinement: Confinement,
        *,
        size: int,
        environment: Mapping[str, str] | None = None,
        errors: int | None = None,
    ) -> None:
        """`errors` is where the processes' standard error goes, as `subprocess` has it."""
        self._module = module
        self._confinement = confinement
        self._size = size
        self._environment = environment or {}
        self._errors = errors
        # None stands for a process that has to be started first.
        self._idle: asyncio.Queue[ConfinedProcess | None] = asyncio.Queue()

    async def __aenter__(self) -> Self:
        for process in await asyncio.gather(*(self._start() for _ in range(self._size))):
            self._idle.put_nowait(process)
        return self

    async def __aexit__(self, *exc: object) -> None:
        while not self._idle.empty():
            if process := self._idle.get_nowait():
                await process.end()

    async def converse(self, conversation: Callable[[ConfinedProcess], Awaitable[T]]) -> T:
        """What comes of a `conversation`, which is held twice where its process dies of the first:
        somebody else may have killed it.

        Raises:
            OutOfTime: processor time is counted for each file, so it is the file's doing.
            Died: it died both times, so it is the file's doing.
        """
        try:
            return await self._try(conversation)
        except OutOfTime:
            raise
        except Died:
            return await self._try(conversation)

    async def _try(self, conversation: Callable[[ConfinedProcess], Awaitable[T]]) -> T:
        """With any process that is free; it goes back unless it failed, or was left half-way."""
        process = await self._idle.get()
        is_reusable = False
        try:
            if process is None or not process.is_alive:
                process = await self._start()
            answer = await conversation(process)
            is_reusable = True
            return answer
        finally:
            self._idle.put_nowait(process if is_reusable else None)
            if process is not None and not is_reusable:
                log.warning("process_replaced", module=self._module, pid=process.pid)
                await process.end()

    async def _start(self) -> ConfinedProcess:
        return await ConfinedProcess.start(
            self._module, self._confinement, self._environment, self._errors
        )
