"""Start time of the embedded stack with an empty data directory, until it is ready."""

import statistics
import tempfile
import time
from pathlib import Path

from bench.result import Result
from devstack.home import Home
from devstack.stack import Stack

_RUNS = 3


async def results() -> list[Result]:
    seconds = [await _start() for _ in range(_RUNS)]
    return [Result("stack.start_seconds", statistics.median(seconds), "s", "<= 20")]


async def _start() -> float:
    with tempfile.TemporaryDirectory(prefix="liaison-bench-") as folder:
        started = time.perf_counter()
        async with Stack(Home(Path(folder) / "home")):
            return time.perf_counter() - started
