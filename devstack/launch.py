"""`python -m devstack.launch PARENT_PID USER_ID argv…`: runs argv, which is killed when the parent
dies.

This is a program of its own because a hook between fork and exec is unsafe in a process with
threads. USER_ID `-` keeps the user. Any other drops root, which Postgres requires, but keeps the
capability to read and search directories of root's: the checkout may be in one.
"""

import ctypes
import os
import sys

from servicekit.process import die_with_parent

_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH = 1, 2
_CAPABILITY_VERSION_3 = 0x20080522
_PR_SET_SECUREBITS, _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE = 28, 47, 2
_PR_SET_KEEPCAPS = 8
_SECBIT_NO_SETUID_FIXUP, _SECBIT_KEEP_CAPS = 1 << 2, 1 << 4

_libc = ctypes.CDLL(None, use_errno=True)


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Word(ctypes.Structure):
    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    )


def drop_root(user_id: int) -> None:
    """Changes to `user_id`, keeping one capability: to read and search any directory."""
    kept = _kept_capability()
    # access(2) ignores capabilities of a non-root user unless this bit is set, and Postgres finds
    # its binaries with access(2). Without CAP_SETPCAP it cannot be set; then the files must be
    # readable by everyone, as they usually are.
    if _libc.prctl(_PR_SET_SECUREBITS, _SECBIT_NO_SETUID_FIXUP | _SECBIT_KEEP_CAPS, 0, 0, 0) != 0:
        _libc.prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setgroups([])
    os.setresgid(user_id, user_id, user_id)
    os.setresuid(user_id, user_id, user_id)
    _set_capabilities(0 if kept is None else 1 << kept)
    if kept is not None:
        _libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, kept, 0, 0)


def _kept_capability() -> int | None:
    """The narrower permitted one of the two capabilities; a container may have either or none."""
    words = (_Word * 2)()
    _libc.capget(ctypes.byref(_Header(_CAPABILITY_VERSION_3, 0)), words)
    for capability in (_CAP_DAC_READ_SEARCH, _CAP_DAC_OVERRIDE):
        if words[0].permitted & (1 << capability):
            return capability
    return None


def _set_capabilities(mask: int) -> None:
    words = (_Word * 2)(_Word(mask, mask, mask), _Word(0, 0, 0))
    if _libc.capset(ctypes.byref(_Header(_CAPABILITY_VERSION_3, 0)), words) != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"capset: {os.strerror(error)}")


def main() -> None:
    parent_pid, user_id, *argv = sys.argv[1:]
    os.umask(0o077)  # data, logs and sockets of the stack are accessible to its owner only
    if user_id != "-":
        drop_root(int(user_id))
    die_with_parent(int(parent_pid))
    os.execv(argv[0], argv)  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main()
