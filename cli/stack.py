"""`liaison up`, `down` and `status`. Output is in `cli.stack_view`, the stack in `devstack`."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress

from cli import stack_view
from devstack import state
from devstack.home import SOURCE_ROOT, Home, default_home
from devstack.probes import accepts_tcp
from devstack.stack import ALL_PROCESSES, Stack
from devstack.supervisor import ProcessFailed, ProcessStatus

NOT_RUNNING = 3

_STOP_SECONDS = 90.0
_POLL_SECONDS = 0.1
_SUPERVISOR_LOG = "supervisor"


def up(only: list[str] | None, *, verbose: bool) -> int:
    home = Home(default_home())
    if unknown := set(only or ()).difference(ALL_PROCESSES):
        known = ", ".join(ALL_PROCESSES)
        stack_view.complain(f"No such process: {', '.join(unknown)}. Known: {known}")
        return 2
    view = stack_view.Following(home) if verbose else stack_view.Progress()
    try:
        return asyncio.run(_keep_up(Stack(home, processes=only, observe=view.changed), view))
    except state.AlreadyRunning as running:
        return _already_running(home, running.state)
    except ProcessFailed as failure:
        stack_view.complain(f"The stack did not start: {failure}")
        return 1


def up_detached(only: list[str] | None) -> int:
    """Runs `liaison up` in a process and session of its own; returns once the stack is ready."""
    home = Home(default_home())
    if running := state.read(home):
        return _already_running(home, running)
    home.prepare()
    home.rotate_log(_SUPERVISOR_LOG)
    with home.log_file(_SUPERVISOR_LOG).open("w", encoding="utf-8") as log:
        supervisor = subprocess.Popen(  # noqa: S603 - our own command
            [sys.executable, "-m", "cli", "up", *(f"--only={process}" for process in only or ())],
            cwd=SOURCE_ROOT,
            env={**os.environ, "LIAISON_HOME": str(home.path)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    while supervisor.poll() is None:
        running = state.read(home)
        if running is not None and running.is_ready:
            stack_view.show_addresses(home, running)
            return 0
        with suppress(subprocess.TimeoutExpired):
            supervisor.wait(_POLL_SECONDS)
    stack_view.complain(home.log_file(_SUPERVISOR_LOG).read_text(encoding="utf-8").strip())
    return 1


def down() -> int:
    home = Home(default_home())
    running = state.read(home)
    if running is None:
        stack_view.say("Nothing is running.")
        return 0
    with suppress(ProcessLookupError):
        os.kill(running.supervisor_pid, signal.SIGTERM)
    if not _wait_until(lambda: not state.is_alive(running), _STOP_SECONDS):
        stack_view.complain(f"The stack is still stopping (process {running.supervisor_pid}).")
        return 1
    stack_view.say(f"Stopped. The data stays in {stack_view.shown(home.path)}.")
    return 0


def status() -> int:
    home = Home(default_home())
    running = state.read(home)
    if running is None:
        stack_view.say("The stack is not running; start it with `liaison up`.")
        return NOT_RUNNING
    unresponsive = asyncio.run(_unresponsive_processes(running))
    stack_view.show_status(running, unresponsive)
    is_healthy = not unresponsive and all(
        process.condition == "ready" for process in running.processes
    )
    return 0 if is_healthy else 1


async def _keep_up(stack: Stack, view: stack_view.View) -> int:
    home = stack.home
    is_over = asyncio.Event()
    _on_signals(lambda: stack.kill() if is_over.is_set() else is_over.set())
    with view:
        starting = asyncio.create_task(stack.start())
        over = asyncio.create_task(is_over.wait())
        await asyncio.wait({starting, over}, return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():
            starting.cancel()  # stops the processes that have started
            await asyncio.gather(starting, return_exceptions=True)
            return 130
        await starting
        view.ready()
        if running := state.read(home):
            stack_view.show_addresses(home, running)
        await over
        stack_view.say("Stopping … (Ctrl-C again kills the processes)")
        await stack.stop()
    stack_view.say(f"Stopped. The data stays in {stack_view.shown(home.path)}.")
    return 0


def _on_signals(act: Callable[[], object]) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, act)


def _already_running(home: Home, running: state.StackState | None) -> int:
    if running is None:
        stack_view.complain(f"Another `liaison up` is starting in {home.path}.")
    else:
        pid = running.supervisor_pid
        stack_view.complain(f"The stack is already running (process {pid}).")
        stack_view.show_addresses(home, running)
    return 1


async def _unresponsive_processes(running: state.StackState) -> set[str]:
    """The processes whose status is ready and which do not answer."""
    ready: list[ProcessStatus] = [one for one in running.processes if one.condition == "ready"]
    responses = await asyncio.gather(*(accepts_tcp(process.address) for process in ready))
    return {
        process.name for process, responded in zip(ready, responses, strict=True) if not responded
    }


def _wait_until(is_so: Callable[[], bool], patience_seconds: float) -> bool:
    deadline = time.monotonic() + patience_seconds
    while not is_so():
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True
