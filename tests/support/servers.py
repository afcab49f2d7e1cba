"""Real servers for a test run, in a separate process that ends with the run.

`python -m tests.support.servers HOME PARENT PROCESS…` starts them, prints `ready`, and stops when
its standard input closes.
"""

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from devstack.home import Home
from devstack.stack import Stack
from servicekit.process import die_with_parent, run


@contextlib.contextmanager
def servers(
    home: Path,
    processes: tuple[str, ...],
    *,
    module: str = "tests.support.servers",
    environment: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[None]:
    """Runs the processes while the block runs. `module` starts them, with `environment` added to
    this process's."""
    arguments = [sys.executable, "-m", module, str(home), str(os.getpid()), *processes]
    with subprocess.Popen(  # noqa: S603 - our own arguments only
        arguments,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    ) as process:
        if process.stdin is None or process.stdout is None:
            raise AssertionError("pipes were asked for")
        try:
            if process.stdout.readline() != "ready\n":
                raise RuntimeError(f"the servers did not start; their logs are in {home}")
            yield
        finally:
            process.stdin.close()
            process.wait()


async def serve(stack: Stack) -> None:
    async with stack:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    die_with_parent(int(sys.argv[2]))
    run(serve(Stack(Home(Path(sys.argv[1])), processes=sys.argv[3:], durable=False)))
