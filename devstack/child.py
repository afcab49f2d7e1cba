"""Starts and stops one child process, for the supervisor."""

import asyncio
import os
import signal
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress

from devstack.home import SOURCE_ROOT, Home
from devstack.process import ProcessSpec


def launch_argv(argv: Sequence[str], user_id: int | None = None) -> list[str]:
    """A command that runs `argv`, if given as another user, and is killed when this process
    dies."""
    launcher = [sys.executable, "-S", "-E", "-m", "devstack.launch"]  # -S, -E: 15 ms instead of 40
    return [*launcher, str(os.getpid()), "-" if user_id is None else str(user_id), *argv]


def clean_environment(home: Home) -> dict[str, str]:
    """The environment of every process: nothing of the caller's shell except PATH."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(home.path),  # keeps servers from reading the user's configuration files
        "LANG": "C.UTF-8",
        "TMPDIR": tempfile.gettempdir(),
        "PYTHONUNBUFFERED": "1",
    }


async def start(spec: ProcessSpec, home: Home) -> asyncio.subprocess.Process:
    log = os.open(home.log_file(spec.name), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        return await asyncio.create_subprocess_exec(
            *launch_argv(spec.argv, spec.user_id),
            cwd=SOURCE_ROOT,
            env={**clean_environment(home), **spec.env},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C reaches only the supervisor, which stops in order
        )
    finally:
        os.close(log)


async def stop(process: asyncio.subprocess.Process, spec: ProcessSpec) -> None:
    """Sends the stop signal, waits for the grace period, then kills the process and its
    children."""
    if process.returncode is None:
        with suppress(ProcessLookupError):
            process.send_signal(spec.stop_signal)
        with suppress(TimeoutError):
            async with asyncio.timeout(spec.stop_grace_seconds):
                await process.wait()
    kill(process)
    await process.wait()


def kill(process: asyncio.subprocess.Process) -> None:
    """Kills the process and its children (each process leads its own process group)."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
