"""How one of our processes ends: with its parent, and without running the interpreter's own exit.

Nothing heavy is imported here: launchers and pool workers load this module before anything else.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Coroutine
from typing import Any, NoReturn

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE = 1, 4


def die_with_parent(parent_pid: int) -> None:
    """The kernel kills this process when the thread that started it ends.

    A change of user id clears the wish, so ask after it. `parent_pid` closes a race: a parent that
    died before the wish was heard has already been replaced by another.
    """
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:
        os.kill(os.getpid(), signal.SIGKILL)


def hide_memory() -> None:
    """No other process of this user may read this one's memory or environment, nor trace it; and it
    leaves no core. For who holds secrets beside processes that strangers may take over."""
    _prctl(_PR_SET_DUMPABLE, 0)


def _prctl(option: int, value: int) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0) != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


def leave(code: int) -> NoReturn:
    """End the process now, with everything written.

    The native threads of the Temporal SDK outlive the interpreter and crash its exit now and then
    (SIGSEGV after the work was done), so every entry point ends here instead.
    """
    import logging  # only a process that logs pays for it

    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            continue  # a closed pipe or stream has nobody left to read it
    os._exit(code)


def run(main: Coroutine[Any, Any, None]) -> NoReturn:
    """Runs a process's main to its end and leaves: 0 when it ended well, 1 after an exception."""
    import asyncio  # only a process that serves pays for it
    import logging

    try:
        asyncio.run(main)
    except Exception:
        logging.getLogger(__name__).exception("process_failed")
        leave(1)
    leave(0)
