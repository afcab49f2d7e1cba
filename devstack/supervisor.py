"""Keeps parts running: starts them as their needs allow, restarts what dies, stops in reverse.

What the parts are, and where the state is written, is known elsewhere.
"""

import asyncio
import time
from asyncio.subprocess import Process
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from devstack import child
from devstack.home import Home
from devstack.process import Part

Condition = Literal["waiting", "starting", "ready", "restarting", "stopping", "stopped", "failed"]

START_SECONDS = 60.0
_FIRST_BACKOFF_SECONDS = 0.5
_LONGEST_BACKOFF_SECONDS = 10.0
_HEALTHY_SECONDS = 30.0  # lived this long: the next crash is a new story
_ATTEMPTS_AT_START = 3  # a part that never came up is misconfigured: say so instead of trying on
_POLL_SECONDS = 0.05
_LOG_LINES_SHOWN = 15


class PartFailed(Exception):
    """A part did not come up. The message ends with the last lines it logged."""


@dataclass
class PartStatus:
    """How one part is doing, for people and for the state file."""

    name: str
    address: str
    condition: Condition = "waiting"
    pid: int | None = None
    started_time: float = 0.0  # Unix time of the present process
    ready_seconds: float | None = None  # what the latest start took
    restarts: int = 0


class Runner:
    """One part's life, from its first start to the stop of the stack."""

    def __init__(self, part: Part, home: Home, changed: Callable[[PartStatus], None]) -> None:
        self.part = part
        self.status = PartStatus(part.name, part.address)
        self.stopped = asyncio.Event()
        self._home = home
        self._changed = changed
        self._process: Process | None = None
        self._is_stopping = asyncio.Event()
        self._is_decided = asyncio.Event()  # it came up, or it never will
        self._failure: PartFailed | None = None
        self._backoff_seconds = _FIRST_BACKOFF_SECONDS

    async def ready(self) -> None:
        """Returns once the part has been ready; raises PartFailed when it will not be."""
        await self._is_decided.wait()
        if self._failure is not None:
            raise self._failure

    async def run(self) -> None:
        while not self._is_stopping.is_set():
            try:
                await self._live()
                if not self._is_stopping.is_set():
                    await self._back_off()
            except Exception as error:
                if not self._is_decided.is_set():
                    self._fail(error)
                    return
                await self._back_off()  # a restart that went wrong is tried again

    async def stop(self) -> None:
        self._is_stopping.set()
        if self._process is not None:
            self._set("stopping")
            await child.stop(self._process, self.part)

    def finish(self) -> None:
        """`run` has ended after `stop`: nothing of this part is left."""
        self.status.pid = None
        self._set("stopped")
        self.stopped.set()

    def kill(self) -> None:
        """For the impatient: the orderly stop under way then finds nothing to wait for."""
        if self._process is not None:
            child.kill(self._process)

    async def _live(self) -> None:
        """One process: start it, wait until it is ready, wait until it ends."""
        began = time.monotonic()
        self._set("restarting" if self.status.restarts else "starting")
        if self.part.prepare is not None:
            await self.part.prepare()
        if not self.part.argv:
            await self._accompany(None, began)
            await self._is_stopping.wait()
            return
        process = self._process = await child.start(self.part, self._home)
        if self._is_stopping.is_set():  # `stop` came before there was anything to stop
            await child.stop(process, self.part)
            return
        self.status.pid, self.status.started_time = process.pid, time.time()
        self._set(self.status.condition)
        await self._accompany(process, began)
        await process.wait()
        child.kill(process)  # what it started must not outlive it
        if time.monotonic() - began > _HEALTHY_SECONDS:
            self._backoff_seconds = _FIRST_BACKOFF_SECONDS

    async def _accompany(self, process: Process | None, began: float) -> None:
        """Until it is ready; one that hangs instead is killed."""
        if await self._becomes_ready(process):
            if not self._is_decided.is_set() and self.part.provision is not None:
                await self.part.provision()
            self.status.ready_seconds = time.monotonic() - began
            if not self._is_stopping.is_set():
                self._set("ready")
            self._is_decided.set()
        elif process is not None:
            child.kill(process)
        elif not self._is_stopping.is_set():
            raise PartFailed(f"{self.part.name} does not answer at {self.part.address}")

    async def _becomes_ready(self, process: Process | None) -> bool:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and not self._is_stopping.is_set():
            is_ready = await self.part.is_ready()
            # Without a living process of ours behind it, somebody else was answering.
            if process is not None and process.returncode is not None:
                return False
            if is_ready:
                return True
            await asyncio.sleep(_POLL_SECONDS)
        return False

    async def _back_off(self) -> None:
        self.status.restarts += 1
        self.status.pid = None
        if not self._is_decided.is_set() and self.status.restarts >= _ATTEMPTS_AT_START:
            raise PartFailed(f"{self.part.name} ended {self.status.restarts} times at its start")
        self._set("restarting")
        with suppress(TimeoutError):
            async with asyncio.timeout(self._backoff_seconds):
                await self._is_stopping.wait()
        self._backoff_seconds = min(self._backoff_seconds * 2, _LONGEST_BACKOFF_SECONDS)

    def _fail(self, error: Exception) -> None:
        log = self._home.log_file(self.part.name)
        lines = log.read_text(errors="replace").splitlines() if log.exists() else []
        reason = str(error) if isinstance(error, PartFailed) else f"{self.part.name}: {error!r}"
        shown = [reason, *([f"the end of {log}:"] if lines else []), *lines[-_LOG_LINES_SHOWN:]]
        self._failure = PartFailed("\n  ".join(shown))
        self._set("failed")
        self._is_decided.set()

    def _set(self, condition: Condition) -> None:
        self.status.condition = condition
        self._changed(self.status)


class Supervisor:
    """All the parts together. Start it once, stop it once."""

    def __init__(
        self, parts: Iterable[Part], home: Home, changed: Callable[[PartStatus], None]
    ) -> None:
        self._runners = {part.name: Runner(part, home, changed) for part in parts}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    @property
    def statuses(self) -> list[PartStatus]:
        return [runner.status for runner in self._runners.values()]

    async def start(self) -> None:
        """Returns when every part is ready; raises the first PartFailed, with the rest running."""
        for name, runner in self._runners.items():
            self._tasks[name] = asyncio.create_task(self._start(runner), name=name)
        try:
            async with asyncio.TaskGroup() as group:
                for runner in self._runners.values():
                    group.create_task(runner.ready())
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None

    async def stop(self) -> None:
        """Each part stops when all that need or use it have."""
        async with asyncio.TaskGroup() as group:
            for runner in self._runners.values():
                group.create_task(self._stop(runner))

    def kill(self) -> None:
        for runner in self._runners.values():
            runner.kill()

    async def _start(self, runner: Runner) -> None:
        try:
            for name in runner.part.needs:
                await self._runners[name].ready()
        except PartFailed:
            return  # told by the part itself; this one just never starts
        await runner.run()

    async def _stop(self, runner: Runner) -> None:
        name = runner.part.name
        for other in self._runners.values():
            if name in other.part.needs | other.part.uses:
                await other.stopped.wait()
        await runner.stop()
        if task := self._tasks.get(name):
            if runner.status.condition == "waiting":
                task.cancel()  # it waits for what it needs, and that will not come
            await asyncio.gather(task, return_exceptions=True)
        runner.finish()
