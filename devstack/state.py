"""The state file of a running stack, and the lock that lets only one run in a data directory."""

import asyncio
import fcntl
import json
import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from devstack.home import Home, write_private
from devstack.supervisor import ProcessStatus

_LOCK_TIMEOUT_SECONDS = 0.5  # a previous supervisor may be about to exit
_POLL_SECONDS = 0.05


@dataclass(frozen=True)
class StackState:
    """`supervisor_created_time` distinguishes the supervisor from a later process with the same
    id."""

    supervisor_pid: int
    supervisor_created_time: float
    started_time: float
    is_ready: bool
    addresses: Mapping[str, str]
    processes: tuple[ProcessStatus, ...]


class AlreadyRunning(Exception):
    """Another supervisor uses this data directory. Its state is None while it is starting."""

    def __init__(self, state: StackState | None) -> None:
        super().__init__("the stack is already running")
        self.state = state


def read(home: Home) -> StackState | None:
    """The state of the running stack; None if none runs, even if a dead one left a state file."""
    try:
        record = json.loads(home.state_file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    processes = tuple(ProcessStatus(**process) for process in record.pop("processes"))
    state = StackState(**record, processes=processes)
    return state if is_alive(state) else None


def is_alive(state: StackState) -> bool:
    try:
        supervisor = psutil.Process(state.supervisor_pid)
        return (
            supervisor.create_time() == state.supervisor_created_time
            and supervisor.status() != psutil.STATUS_ZOMBIE
        )
    except psutil.NoSuchProcess:
        return False


def write(home: Home, state: StackState) -> None:
    write_private(home.state_file, json.dumps(asdict(state), indent=2) + "\n")


class Lock:
    """A file lock, held from start to stop. The kernel releases it when the holder dies."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._path: Path = home.path / "lock"
        self._descriptor: int | None = None

    async def acquire(self) -> None:
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        deadline = time.monotonic() + _LOCK_TIMEOUT_SECONDS
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    os.close(descriptor)
                    raise AlreadyRunning(read(self._home)) from None
                await asyncio.sleep(_POLL_SECONDS)
            else:
                self._descriptor = descriptor
                return

    def release(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
