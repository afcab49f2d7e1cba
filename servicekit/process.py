"""Process control: dying with the parent, hiding memory, and exiting without interpreter shutdown.

This module imports nothing heavy: launchers and pool workers load it before anything else.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Coroutine
from typing import Any, NoReturn

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE = 1, 4


def die_with_parent(parent_pid: int) -> None:
    """Has the kernel kill this process when the thread that started it ends.

    A change of user id clears the setting, so call this afterwards. `parent_pid` closes a race: a
    parent that died before the call has already been replaced by another.
    """
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:
        os.kill(os.getpid(), signal.SIGKILL)


def hide_memory() -> None:
    """Keeps other processes of this user from reading this one's memory or environment and from
    tracing it, and disables core dumps. For a process that holds secrets and runs confined child
    processes that parse untrusted files."""
    _prctl(_PR_SET_DUMPABLE, 0)


def _prctl(option: int, value: int) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0) != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


def exit_immediately(code: int) -> NoReturn:
    """Ends the process at once, after flushing logs and output.

    Native threads of the Temporal SDK outlive the interpreter and occasionally crash its shutdown
    (SIGSEGV after the work was done), so every entry point ends here instead.
    """
    import logging  # imported here, since pool workers do not log

    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            continue  # a closed pipe or stream has no reader
    os._exit(code)


def run(main: Coroutine[Any, Any, None]) -> NoReturn:
    """Runs a process's main coroutine and exits: with 0, or with 1 after an exception."""
    import asyncio  # imported here, since pool workers have no event loop
    import logging

    try:
        asyncio.run(main)
    except Exception:
        logging.getLogger(__name__).exception("process_failed")
        exit_immediately(1)
    exit_immediately(0)
