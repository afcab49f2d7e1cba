"""`liaison up`, `down`, `status`, `demo`, `statement` and `token`, as typed in a shell."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import jwt
import psutil
import pytest

from cli.demo import command
from cli.demo.applicants import SELECTED
from cli.demo.story import Story
from devstack import identity, state
from devstack.home import SOURCE_ROOT, Home

PROCESSES = ("--only=postgres", "--only=s3", "--only=temporal")


class Developer:
    """Runs `liaison` commands with a data directory of its own."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self._env = {**os.environ, "LIAISON_HOME": str(home.path)}
        self._started: list[subprocess.Popen[str]] = []

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "cli", *arguments]
        return subprocess.run(  # noqa: S603 - our own command
            command, cwd=SOURCE_ROOT, env=self._env, capture_output=True, text=True, check=False
        )

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "cli", *arguments]
        process = subprocess.Popen(  # noqa: S603 - our own command
            command,
            cwd=SOURCE_ROOT,
            env=self._env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._started.append(process)
        return process

    def is_up(self) -> bool:
        running = state.read(self.home)
        return running is not None and running.is_ready

    def kill_all(self) -> None:
        for process in self._started:
            process.kill()
            process.communicate()


@pytest.fixture
def developer(tmp_path: Path) -> Iterator[Developer]:
    developer = Developer(Home(tmp_path / "home"))
    yield developer
    developer.kill_all()


def test_up_status_a_second_up_and_down(developer: Developer) -> None:
    up = developer.run("up", "--detach", "--only=postgres", "--only=temporal")
    assert up.returncode == 0, up.stderr
    assert "http://127.0.0.1:" in up.stdout
    secret = (developer.home.secrets / "postgres-password").read_text()
    assert secret not in up.stdout

    status = developer.run("status")
    assert status.returncode == 0
    assert status.stdout.count("ready") == 2

    second = developer.run("up")
    assert second.returncode == 1
    assert "already running" in second.stderr
    assert "http://127.0.0.1:" in second.stdout

    processes = _child_processes(developer)
    assert developer.run("down").returncode == 0
    assert _eventually(lambda: not any(process.is_running() for process in processes))
    assert developer.run("status").returncode == 3
    again = developer.run("down")
    assert (again.returncode, again.stdout) == (0, "Nothing is running.\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_no_process_remains_after_the_supervisor_ends(
    developer: Developer, number: signal.Signals
) -> None:
    supervisor = developer.start("up", *PROCESSES)
    assert _eventually(developer.is_up)
    processes = _child_processes(developer)
    assert len(processes) > len(PROCESSES)
    supervisor.send_signal(number)
    supervisor.wait(timeout=30)
    assert _eventually(lambda: not any(process.is_running() for process in processes))
    assert developer.run("status").returncode == 3
    if number != signal.SIGKILL:
        assert supervisor.returncode == 0
        assert not developer.home.state_file.exists()


def test_no_process_remains_after_an_interrupted_start(developer: Developer) -> None:
    supervisor = developer.start("up", *PROCESSES)
    assert _eventually(lambda: state.read(developer.home) is not None)
    supervisor.send_signal(signal.SIGINT)
    output, _ = supervisor.communicate(timeout=30)
    assert supervisor.returncode == 130, output
    assert _eventually(lambda: not _processes_in(developer.home))


# The stack outlives its Popen object, which Python warns about.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_demo_keep_leaves_the_stack_running(
    developer: Developer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without the demo's assignments, which test_story runs."""

    async def play(story: Story) -> None:
        story.task = "tasks/t1"
        story.applications = {name: f"tasks/t1/applications/{name}" for name in SELECTED}

    async def nothing(_: Story) -> list[object]:
        return []

    monkeypatch.setenv("LIAISON_HOME", str(developer.home.path))
    monkeypatch.setattr(command, "play", play)
    monkeypatch.setattr(command, "read_outcomes", nothing)
    monkeypatch.setattr(command, "read_ledger", nothing)
    try:
        assert command.run(keep=True) == 0
        assert developer.is_up()
        output = capsys.readouterr().out
        assert "http://127.0.0.1:" in output.partition("Where to look")[2]
        assert "`liaison down` stops it" in output
    finally:
        assert developer.run("down").returncode == 0
        # Started by this very process: a zombie would confuse later tests that list its children.
        for child in psutil.Process().children():
            if child.status() == psutil.STATUS_ZOMBIE:
                os.waitpid(child.pid, 0)


def test_a_statement_needs_one_party_and_a_running_stack(developer: Developer) -> None:
    answer = developer.run("statement", "--brand", "acme", "--from", "2026-03-01")
    assert (answer.returncode, answer.stdout) == (3, "")
    assert developer.run("statement").returncode == 2
    assert developer.run("statement", "--brand", "a", "--creator", "b").returncode == 2


def test_a_token_carries_the_role_and_the_party(developer: Developer) -> None:
    printed = developer.run("token", "--role", "brand", "--brand", "acme").stdout.strip()
    keys = jwt.PyJWKSet.from_json(developer.home.jwks_file.read_text())
    claims = jwt.decode(
        printed,
        keys[jwt.get_unverified_header(printed)["kid"]],
        algorithms=["EdDSA"],
        issuer=identity.ISSUER,
        audience=identity.AUDIENCE,
    )
    assert (claims["role"], claims["brand"]) == ("brand", "acme")
    assert claims["exp"] - claims["iat"] == 3600


@pytest.mark.parametrize("arguments", [["--role", "brand"], ["--role", "emperor"]])
def test_a_token_needs_a_known_role_and_its_party(
    developer: Developer, arguments: list[str]
) -> None:
    refused = developer.run("token", *arguments)
    assert (refused.returncode, refused.stdout) == (2, "")


def _child_processes(developer: Developer) -> list[psutil.Process]:
    running = state.read(developer.home)
    assert running is not None
    return psutil.Process(running.supervisor_pid).children(recursive=True)


def _processes_in(home: Home) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            if str(home.path) in " ".join(process.cmdline()):
                found.append(process)
        except psutil.Error:
            continue  # it has just ended
    return found


def _eventually(is_so: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 30
    while not is_so():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
