"""Supervises processes: starts each when those it needs are ready, restarts it with exponential
backoff when it ends, and stops all in reverse order.

The processes are described by `devstack.stack`, which also writes the state file.
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
from devstack.process import ProcessSpec

Condition = Literal["waiting", "starting", "ready", "restarting", "stopping", "stopped", "failed"]

START_SECONDS = 60.0
_FIRST_BACKOFF_SECONDS = 0.5
_LONGEST_BACKOFF_SECONDS = 10.0
_HEALTHY_SECONDS = 30.0  # after this uptime, the next crash starts with the first backoff again
_ATTEMPTS_AT_START = 3  # a process that never became ready is misconfigured: fail, do not retry
_POLL_SECONDS = 0.05
_LOG_LINES_SHOWN = 15


class ProcessFailed(Exception):
    """A process did not become ready. The message ends with the last lines of its log."""


@dataclass
class ProcessStatus:
    """The status of one process, for the CLI and for the state file."""

    name: str
    address: str
    condition: Condition = "waiting"
    pid: int | None = None
    started_time: float = 0.0  # Unix time, of the current OS process
    ready_seconds: float | None = None  # duration of the latest start
    restarts: int = 0


class Runner:
    """Runs one process from its first start to the stop of the stack, restarts included."""

    def __init__(
        self, spec: ProcessSpec, home: Home, changed: Callable[[ProcessStatus], None]
    ) -> None:
        self.spec = spec
        self.status = ProcessStatus(spec.name, spec.address)
        self.stopped = asyncio.Event()
        self._home = home
        self._changed = changed
        self._process: Process | None = None
        self._is_stopping = asyncio.Event()
        self._is_decided = asyncio.Event()  # it has been ready once, or it has failed for good
        self._failure: ProcessFailed | None = None
        self._backoff_seconds = _FIRST_BACKOFF_SECONDS

    async def ready(self) -> None:
        """Returns once the process has been ready. Raises ProcessFailed if it failed for good."""
        await self._is_decided.wait()
        if self._failure is not None:
            raise self._failure

    async def run(self) -> None:
        while not self._is_stopping.is_set():
            try:
                await self._run_once()
                if not self._is_stopping.is_set():
                    await self._back_off()
            except Exception as error:
                if not self._is_decided.is_set():
                    self._fail(error)
                    return
                await self._back_off()  # a failed restart is retried

    async def stop(self) -> None:
        self._is_stopping.set()
        if self._process is not None:
            self._set("stopping")
            await child.stop(self._process, self.spec)

    def finish(self) -> None:
        """Marks the process as stopped, after `stop` and the end of `run`."""
        self.status.pid = None
        self._set("stopped")
        self.stopped.set()

    def kill(self) -> None:
        """Kills the process at once; a `stop` that is waiting for it then returns."""
        if self._process is not None:
            child.kill(self._process)

    async def _run_once(self) -> None:
        """Starts one OS process, waits until it is ready and then until it ends."""
        began = time.monotonic()
        self._set("restarting" if self.status.restarts else "starting")
        if self.spec.prepare is not None:
            await self.spec.prepare()
        if not self.spec.argv:
            await self._await_ready(None, began)
            await self._is_stopping.wait()
            return
        process = self._process = await child.start(self.spec, self._home)
        if self._is_stopping.is_set():  # `stop` was called before the process existed
            await child.stop(process, self.spec)
            return
        self.status.pid, self.status.started_time = process.pid, time.time()
        self._set(self.status.condition)
        await self._await_ready(process, began)
        await process.wait()
        child.kill(process)  # with its children, which must not outlive it
        if time.monotonic() - began > _HEALTHY_SECONDS:
            self._backoff_seconds = _FIRST_BACKOFF_SECONDS

    async def _await_ready(self, process: Process | None, began: float) -> None:
        """Waits until the process is ready, and kills it if it does not become so in time."""
        if await self._becomes_ready(process):
            if not self._is_decided.is_set() and self.spec.provision is not None:
                await self.spec.provision()
            self.status.ready_seconds = time.monotonic() - began
            if not self._is_stopping.is_set():
                self._set("ready")
            self._is_decided.set()
        elif process is not None:
            child.kill(process)
        elif not self._is_stopping.is_set():
            raise ProcessFailed(f"{self.spec.name} does not answer at {self.spec.address}")

    async def _becomes_ready(self, process: Process | None) -> bool:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and not self._is_stopping.is_set():
            is_ready = await self.spec.is_ready()
            # If our process has ended, another one answers at that address.
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
            raise ProcessFailed(f"{self.spec.name} ended {self.status.restarts} times at its start")
        self._set("restarting")
        with suppress(TimeoutError):
            async with asyncio.timeout(self._backoff_seconds):
                await self._is_stopping.wait()
        self._backoff_seconds = min(self._backoff_seconds * 2, _LONGEST_BACKOFF_SECONDS)

    def _fail(self, error: Exception) -> None:
        log = self._home.log_file(self.spec.name)
        lines = log.read_text(errors="replace").splitlines() if log.exists() else []
        reason = str(error) if isinstance(error, ProcessFailed) else f"{self.spec.name}: {error!r}"
        shown = [reason, *([f"the end of {log}:"] if lines else []), *lines[-_LOG_LINES_SHOWN:]]
        self._failure = ProcessFailed("\n  ".join(shown))
        self._set("failed")
        self._is_decided.set()

    def _set(self, condition: Condition) -> None:
        self.status.condition = condition
        self._changed(self.status)


class Supervisor:
    """All processes of a stack. Start it once and stop it once."""

    def __init__(
        self, specs: Iterable[ProcessSpec], home: Home, changed: Callable[[ProcessStatus], None]
    ) -> None:
        self._runners = {spec.name: Runner(spec, home, changed) for spec in specs}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    @property
    def statuses(self) -> list[ProcessStatus]:
        return [runner.status for runner in self._runners.values()]

    async def start(self) -> None:
        """Returns when all processes are ready. Raises the first ProcessFailed, leaving the others
        running."""
        for name, runner in self._runners.items():
            self._tasks[name] = asyncio.create_task(self._start(runner), name=name)
        try:
            async with asyncio.TaskGroup() as group:
                for runner in self._runners.values():
                    group.create_task(runner.ready())
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None

    async def stop(self) -> None:
        """Stops each process after all that need or use it."""
        async with asyncio.TaskGroup() as group:
            for runner in self._runners.values():
                group.create_task(self._stop(runner))

    def kill(self) -> None:
        for runner in self._runners.values():
            runner.kill()

    async def _start(self, runner: Runner) -> None:
        try:
            for name in runner.spec.needs:
                await self._runners[name].ready()
        except ProcessFailed:
            return  # reported by that process; this one never starts
        await runner.run()

    async def _stop(self, runner: Runner) -> None:
        name = runner.spec.name
        for other in self._runners.values():
            if name in other.spec.needs | other.spec.uses:
                await other.stopped.wait()
        await runner.stop()
        if task := self._tasks.get(name):
            if runner.status.condition == "waiting":
                task.cancel()  # it waits for a process that never becomes ready
            await asyncio.gather(task, return_exceptions=True)
        runner.finish()
