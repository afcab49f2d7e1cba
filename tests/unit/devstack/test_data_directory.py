"""The data directory: secrets, ports, logs and the state of the running stack."""

import json
import os
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from devstack import state
from devstack.home import Home, default_home
from devstack.ports import USUAL, Ports
from devstack.supervisor import ProcessStatus


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.prepare()
    return home


class ScriptedPorts(Ports):
    """Some ports are taken."""

    taken: frozenset[int] = frozenset()

    def _reserve(self, port: int) -> bool:
        return port not in self.taken


def _state_of(pid: int, created_time: float) -> state.StackState:
    return state.StackState(
        supervisor_pid=pid,
        supervisor_created_time=created_time,
        started_time=1.0,
        is_ready=True,
        addresses={"s3": "127.0.0.1:8333"},
        processes=(ProcessStatus("s3", "127.0.0.1:8333", "ready", pid=7),),
    )


def test_a_secret_is_generated_once_and_readable_by_its_owner_only(home: Home) -> None:
    first = home.secret("s3-access-key")
    assert home.secret("s3-access-key") == first != home.secret("s3-secret-key")
    assert (home.secrets / "s3-access-key").stat().st_mode & 0o777 == 0o600
    assert home.path.stat().st_mode & 0o777 == 0o700


def test_the_home_can_be_chosen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LIAISON_HOME", str(tmp_path))
    assert default_home() == tmp_path
    monkeypatch.delenv("LIAISON_HOME")
    assert default_home().name == ".liaison"


def test_the_usual_port_is_preferred_and_a_chosen_port_is_kept(home: Home) -> None:
    ports = ScriptedPorts(home)
    ports.taken = frozenset({USUAL["postgres"]})
    chosen = ports.port("postgres")
    assert ports.port("temporal") == USUAL["temporal"]
    assert chosen != USUAL["postgres"]
    ports.save()
    assert ScriptedPorts(home).port("postgres") == chosen


def test_a_preferred_port_precedes_the_usual_one(home: Home) -> None:
    assert ScriptedPorts(home).port("postgres", preferred=4711) == 4711


def test_the_log_of_the_previous_run_is_kept(home: Home) -> None:
    home.log_file("s3").write_text("old")
    home.rotate_log("s3")
    assert not home.log_file("s3").exists()
    assert (home.logs / "s3.log.1").read_text() == "old"


def test_the_state_of_a_living_supervisor_is_read_as_it_was_written(home: Home) -> None:
    written = _state_of(os.getpid(), psutil.Process().create_time())
    state.write(home, written)
    assert state.read(home) == written


def test_the_state_of_a_dead_supervisor_is_none(home: Home) -> None:
    """Also when its process id has gone to another process since."""
    state.write(home, _state_of(os.getpid(), created_time=1.0))
    assert state.read(home) is None
    living = _state_of(os.getpid(), psutil.Process().create_time())
    state.write(home, replace(living, supervisor_pid=2**22 + 1))
    assert state.read(home) is None


def test_no_state_before_the_first_start(home: Home) -> None:
    assert state.read(home) is None


def test_the_state_file_is_readable_json(home: Home) -> None:
    state.write(home, _state_of(os.getpid(), 1.0))
    assert json.loads(home.state_file.read_text())["processes"][0]["pid"] == 7
