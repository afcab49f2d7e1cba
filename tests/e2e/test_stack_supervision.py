"""The supervisor, run with small programs: start order, crashes, and processes that never stop."""

import asyncio
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest

from devstack.home import Home
from devstack.probes import tcp
from devstack.process import ProcessSpec
from devstack.supervisor import ProcessFailed, ProcessStatus, Supervisor

# Listens on the port it is given, after doing what the second argument says.
SERVER = """
import signal, socket, subprocess, sys
exec(sys.argv[2])
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    server.accept()[0].close()
"""


def _free_address() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


def _process(
    name: str, first: str = "", needs: tuple[str, ...] = (), **options: object
) -> ProcessSpec:
    address = _free_address()
    argv = (sys.executable, "-c", SERVER, address.rpartition(":")[2], first)
    process = {"name": name, "address": address, "is_ready": tcp(address), "argv": argv}
    return ProcessSpec(**{**process, "needs": frozenset(needs), **options})  # type: ignore[arg-type] # a test's brevity


async def _eventually(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not is_so():  # noqa: ASYNC110 - it polls processes, which set no event
            await asyncio.sleep(0.02)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.prepare()
    return home


@asynccontextmanager
async def _running(
    home: Home, *processes: ProcessSpec, observe: Callable[[ProcessStatus], None] = lambda _: None
) -> AsyncIterator[Supervisor]:
    supervisor = Supervisor(processes, home, observe)
    try:
        await supervisor.start()
        yield supervisor
    finally:
        await supervisor.stop()


async def test_processes_start_after_those_they_need_and_stop_before_them(home: Home) -> None:
    seen: list[tuple[str, str]] = []
    processes = (
        _process("worker", needs=("service",)),
        _process("service", needs=("server",)),
        _process("server"),
    )
    async with _running(
        home, *processes, observe=lambda status: seen.append((status.name, status.condition))
    ):
        ready = [name for name, condition in seen if condition == "ready"]
    stopped = [name for name, condition in seen if condition == "stopped"]
    assert ready == ["server", "service", "worker"]
    assert stopped == ["worker", "service", "server"]


async def test_a_used_process_stops_later_but_is_not_awaited_at_the_start(
    home: Home,
) -> None:
    stopped: list[str] = []

    def observe(status: ProcessStatus) -> None:
        if status.condition == "stopped":
            stopped.append(status.name)

    processes = (_process("service"), _process("worker", uses=frozenset({"service", "absent"})))
    async with _running(home, *processes, observe=observe):
        pass
    assert stopped == ["worker", "service"]


async def test_provisioning_runs_before_dependent_processes_start(home: Home) -> None:
    done: list[str] = []
    server = _process("server", provision=_note(done, "provisioned"))
    service = _process("service", needs=("server",), prepare=_note(done, "service starts"))
    async with _running(home, server, service):
        assert done == ["provisioned", "service starts"]


async def test_a_crashed_process_restarts_and_its_children_are_killed(home: Home) -> None:
    child = "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])"
    async with _running(home, _process("server", child)) as supervisor:
        status = supervisor.statuses[0]
        first = psutil.Process(status.pid)
        children = first.children()
        first.kill()
        await _eventually(lambda: status.condition == "ready" and status.pid != first.pid)
        assert status.restarts == 1
        assert len(children) == 1
        await _eventually(lambda: not children[0].is_running())


async def test_a_process_that_never_becomes_ready_fails_the_start_with_its_log(home: Home) -> None:
    with pytest.raises(ProcessFailed, match=r"(?s)broken ended 3 times.*the setting is missing"):
        async with _running(
            home,
            _process("broken", "sys.exit('the setting is missing')"),
            _process("s", needs=("broken",)),
        ):
            pytest.fail("it started")


async def test_a_process_that_ignores_the_stop_signal_is_killed_after_its_grace(home: Home) -> None:
    deaf = _process("deaf", "signal.signal(signal.SIGTERM, signal.SIG_IGN)", stop_grace_seconds=0.2)
    async with _running(home, deaf) as supervisor:
        process = psutil.Process(supervisor.statuses[0].pid)
        began = time.monotonic()
    assert not process.is_running()
    assert time.monotonic() - began < 5


async def test_stopping_during_a_start_leaves_no_process(home: Home) -> None:
    slow = _process("slow", "import time; time.sleep(600)")
    supervisor = Supervisor([slow, _process("late", needs=("slow",))], home, lambda _: None)
    starting = asyncio.create_task(supervisor.start())
    await _eventually(lambda: supervisor.statuses[0].pid is not None)
    process = psutil.Process(supervisor.statuses[0].pid)
    starting.cancel()
    await asyncio.gather(starting, return_exceptions=True)
    await supervisor.stop()
    assert not process.is_running()


async def test_no_process_receives_signals_of_the_terminal(home: Home) -> None:
    async with _running(home, _process("server")) as supervisor:
        pid = supervisor.statuses[0].pid
        assert pid is not None
        assert psutil.Process(pid).terminal() is None


def _note(done: list[str], what: str) -> Callable[[], Awaitable[None]]:
    async def note() -> None:
        done.append(what)

    return note


async def test_a_process_is_stopped_with_its_configured_signal(home: Home) -> None:
    wants = "signal.signal(signal.SIGINT, lambda *_: (print('fast', flush=True), sys.exit()))"
    async with _running(home, _process("server", wants, stop_signal=signal.SIGINT)):
        pass
    assert home.log_file("server").read_text() == "fast\n"
