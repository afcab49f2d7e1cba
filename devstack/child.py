"""Starting and stopping one child process. When to do so is the supervisor's business."""

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
    """The command that becomes `argv`, dies with this process, and may run as another user."""
    launcher = [sys.executable, "-S", "-E", "-m", "devstack.launch"]  # -S, -E: 15 ms instead of 40
    return [*launcher, str(os.getpid()), "-" if user_id is None else str(user_id), *argv]


def clean_environment(home: Home) -> dict[str, str]:
    """What every process gets: nothing of the caller's shell but where programs lie."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(home.path),  # a server finds none of the user's configuration files
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
            start_new_session=True,  # Ctrl-C reaches the supervisor alone, which stops in order
        )
    finally:
        os.close(log)


async def stop(process: asyncio.subprocess.Process, spec: ProcessSpec) -> None:
    """Ask, wait as long as the process may take, then kill it and whatever it started."""
    if process.returncode is None:
        with suppress(ProcessLookupError):
            process.send_signal(spec.stop_signal)
        with suppress(TimeoutError):
            async with asyncio.timeout(spec.stop_grace_seconds):
                await process.wait()
    kill(process)
    await process.wait()


def kill(process: asyncio.subprocess.Process) -> None:
    """Kill the process and all it started (each process is the head of its own process group)."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
