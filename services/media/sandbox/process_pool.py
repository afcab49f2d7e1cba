"""A pool of worker processes for untrusted bytes: started in advance, replaced when they die.

Workers speak frames over standard input and output (`services.media.sandbox.frames`). The messages
are those of each kind of worker: `images.pool`, `images.text_detection` and `videos.pool`.
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

_EXIT_SECONDS = 1.0

log = structlog.get_logger()

_SOURCE_ROOT = Path(__file__).resolve().parents[3]
_ENVIRONMENT = {
    # Not inherited: the server's may name more, and an empty entry is the working directory.
    "PYTHONPATH": str(_SOURCE_ROOT),
    "LANG": "C.UTF-8",
    "MALLOC_ARENA_MAX": "1",  # each arena reserves address space, which is limited
}


class ProcessDied(Exception):
    """The process ended, or sent an invalid frame."""


class CpuTimeExceeded(ProcessDied):
    """The process ended because it exceeded its CPU time."""


class ConfinedProcess:
    """One worker process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        if process.stdin is None or process.stdout is None:
            raise AssertionError("the process was started with pipes")
        self._requests, self._reports = process.stdin, process.stdout

    @classmethod
    async def start(
        cls,
        module: str,
        confinement: Confinement,
        environment: Mapping[str, str],
        errors: int | None,
    ) -> Self:
        """Starts `python -m module` and waits for its first frame.

        Raises:
            RuntimeError: it does not start.
        """
        started = cls(await cls._spawn(module, confinement, environment, errors))
        try:
            await started.receive(0)
        except ProcessDied:
            # Not ProcessDied, which would be blamed on a file.
            await started.end()
            raise RuntimeError(f"{module} does not start") from None
        return started

    @staticmethod
    async def _spawn(
        module: str,
        confinement: Confinement,
        environment: Mapping[str, str],
        errors: int | None,
    ) -> asyncio.subprocess.Process:
        try:
            return await asyncio.create_subprocess_exec(
                sys.executable,
                "-P",  # never import from the working directory
                "-m",
                module,
                *(str(os.getpid()), str(confinement.memory_bytes), str(confinement.cpu_seconds)),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                limit=PIPE_BYTES,
                stderr=errors,
                env={**_ENVIRONMENT, **environment},  # without the server's secrets
                start_new_session=True,  # Ctrl-C in a terminal reaches the server only
            )
        except OSError as error:
            raise RuntimeError(f"{module} does not start: {error.strerror}") from error

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        return self._process.returncode is None

    async def send(self, head: bytes, content: bytes) -> None:
        """Writes one frame.

        Raises:
            ProcessDied: the process has ended.
        """
        try:
            self._requests.write(frame(head, len(content)))
            self._requests.write(content)
            await self._requests.drain()
        except OSError as error:
            raise await self._death() from error

    async def receive(self, maximum_bytes: int) -> tuple[bytes, bytes]:
        """Head and content of the next frame; its content has at most `maximum_bytes`.

        Raises:
            ProcessDied: the content is longer, or the process has ended.
        """
        try:
            head_length, content_length = LENGTHS.unpack(
                await self._reports.readexactly(LENGTHS.size)
            )
            # A worker that was taken over must not make the server allocate without limit.
            if head_length > MAXIMUM_HEAD_BYTES or content_length > maximum_bytes:
                raise ProcessDied
            head = await self._reports.readexactly(head_length)
            return head, await self._reports.readexactly(content_length)
        except (OSError, EOFError) as error:
            raise await self._death() from error

    async def _death(self) -> ProcessDied:
        """Waits for the process to exit by itself, since killing it first would hide the signal
        that ended it; kills it after a second."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_EXIT_SECONDS):
                await self._process.wait()
        await self.end()
        return CpuTimeExceeded() if self._process.returncode == -signal.SIGXCPU else ProcessDied()

    async def end(self) -> None:
        with suppress(ProcessLookupError):
            self._process.kill()
        self._requests.close()
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
        """`errors` is the processes' standard error, as the `stderr` of `subprocess`."""
        self._module = module
        self._confinement = confinement
        self._size = size
        self._environment = environment or {}
        self._errors = errors
        # None stands for a process to be started on first use.
        self._idle: asyncio.Queue[ConfinedProcess | None] = asyncio.Queue()

    async def __aenter__(self) -> Self:
        for process in await asyncio.gather(*(self._start() for _ in range(self._size))):
            self._idle.put_nowait(process)
        return self

    async def __aexit__(self, *exc: object) -> None:
        while not self._idle.empty():
            if process := self._idle.get_nowait():
                await process.end()

    async def run(self, exchange: Callable[[ConfinedProcess], Awaitable[T]]) -> T:
        """Runs `exchange` with a free process, and once more if that process dies: the first death
        may have had another cause than the file.

        Raises:
            CpuTimeExceeded: the file took too much CPU time; not tried again.
            ProcessDied: the process died both times.
        """
        try:
            return await self._try(exchange)
        except CpuTimeExceeded:
            raise
        except ProcessDied:
            return await self._try(exchange)

    async def _try(self, exchange: Callable[[ConfinedProcess], Awaitable[T]]) -> T:
        """Runs `exchange` with any free process; replaces the process unless it completes."""
        process = await self._idle.get()
        is_reusable = False
        try:
            if process is None or not process.is_alive:
                process = await self._start()
            result = await exchange(process)
            is_reusable = True
            return result
        finally:
            self._idle.put_nowait(process if is_reusable else None)
            if process is not None and not is_reusable:
                log.warning("process_replaced", module=self._module, pid=process.pid)
                await process.end()

    async def _start(self) -> ConfinedProcess:
        return await ConfinedProcess.start(
            self._module, self._confinement, self._environment, self._errors
        )
