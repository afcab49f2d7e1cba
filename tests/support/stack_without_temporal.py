"""The whole stack for tests that skip time, without the Temporal server and the worker. The test
starts a Temporal server at the stack's address for it, and runs the worker itself.

`python -m tests.support.stack_without_temporal HOME PARENT`, as `servers` starts it.
"""

import contextlib
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from devstack.access import Access, attach
from devstack.database import SERVICES
from devstack.home import Home
from devstack.ports import Ports
from devstack.process import ProcessSpec
from devstack.stack import Stack
from servicekit.process import die_with_parent, run
from tests.support.servers import serve, servers

# A payout of the sandbox completes before the workflow has polled it often.
_STEP_SECONDS = "0.02"


@contextlib.contextmanager
def stack_without_temporal(home: Path) -> Iterator[Access]:
    with servers(home, (), module="tests.support.stack_without_temporal"):
        access = attach(Home(home))
        if access is None:
            raise AssertionError(f"nothing runs in {home}")
        yield access


class _StackWithoutTemporal(Stack):
    def __init__(self, home: Home) -> None:
        super().__init__(home, processes=(*SERVICES, "paypal"), durable=False)

    def _all_processes(self, ports: Ports, administrator_url: str) -> list[ProcessSpec]:
        processes = super()._all_processes(ports, administrator_url)
        return [_adapted(process) for process in processes]


def _adapted(process: ProcessSpec) -> ProcessSpec:
    if process.name == "temporal":
        return replace(process, argv=(), is_ready=_at_once)
    if process.name == "paypal":
        return replace(process, env={**process.env, "SANDBOX_STEP_SECONDS": _STEP_SECONDS})
    return process


async def _at_once() -> bool:
    """Always ready: services connect to Temporal on first use."""
    return True


if __name__ == "__main__":
    die_with_parent(int(sys.argv[2]))
    run(serve(_StackWithoutTemporal(Home(Path(sys.argv[1])))))
