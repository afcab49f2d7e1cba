"""Hidden process memory."""

import subprocess
import sys

_READ = """
import ctypes, sys
from servicekit.process import hide_memory

if sys.argv[1:] == ["hidden"]:
    hide_memory()
PR_GET_DUMPABLE = 3
sys.stdout.write(str(ctypes.CDLL(None).prctl(PR_GET_DUMPABLE, 0, 0, 0, 0)))
"""


def dumpable(*arguments: str) -> str:
    return subprocess.run(  # noqa: S603 - our own arguments only
        [sys.executable, "-c", _READ, *arguments], capture_output=True, text=True, check=True
    ).stdout


def test_hidden_memory_cannot_be_read_or_dumped() -> None:
    assert dumpable() == "1"
    assert dumpable("hidden") == "0"
