"""Temporal servers with time skipping, at a given address. They end with the test run.

There are two, because neither covers every case:
- The test server has one clock for all workflows, which may run ahead of the system clock but never
  behind it. It stands still while a workflow waits for a worker.
- The real server has a clock for each workflow. The clock of any running workflow can be moved
  forward, however the workflow was started; a child starts with its parent's time. The clock stands
  still while a child is open (an assignment with an open payout or dispute, a task with open
  assignments). Each timer passed takes up to a second of real time, and skipping stops at a timer
  that no worker acts on.
"""

import asyncio
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Protocol

from google.protobuf.empty_pb2 import Empty
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.api.testservice.v1 import SleepRequest
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client
from temporalio.service import RPCError
from temporalio.testing._timeskipping import TimeSkipper

from devstack.child import clean_environment, launch_argv
from devstack.home import SITE_PACKAGES_BIN, SOURCE_ROOT, Home
from devstack.temporal import NAMESPACE
from servicekit.clock import utc_now
from workflows.temporal.search_attributes import SEARCH_ATTRIBUTES

_PATIENCE_SECONDS = 20.0


class Time(Protocol):
    """The time as workflows see it. `client` is connected to their server."""

    client: Client

    async def now(self, workflow_id: str) -> datetime: ...

    async def skip(self, workflow_id: str, span: timedelta) -> None:
        """Returns once at least `span` has passed for the workflow."""


class SharedClock:
    """One clock for all workflows; the workflow id is ignored."""

    def __init__(self, client: Client) -> None:
        self.client = client

    async def now(self, workflow_id: str = "") -> datetime:
        response = await self.client.test_service.get_current_time(Empty())
        return response.time.ToDatetime(tzinfo=UTC)

    async def skip(self, workflow_id: str, span: timedelta) -> None:
        request = SleepRequest()
        request.duration.FromTimedelta(span)
        await self.client.test_service.unlock_time_skipping_with_sleep(request)


class WorkflowClocks:
    """A clock for each workflow, which follows the system clock unless it is moved forward."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self._skipper = TimeSkipper(client)

    async def now(self, workflow_id: str = "") -> datetime:
        if not workflow_id:
            return utc_now()
        return await self._skipper.get_current_time(self.client.get_workflow_handle(workflow_id))

    async def skip(self, workflow_id: str, span: timedelta) -> None:
        await self._skipper.fast_forward(self.client.get_workflow_handle(workflow_id), span)


@asynccontextmanager
async def shared_clock(address: str, home: Home) -> AsyncIterator[SharedClock]:
    """The test server."""
    port = address.rpartition(":")[2]
    with _process([str(SITE_PACKAGES_BIN / "temporal-test-server"), port], home):
        client = await _connected(address)
        await client.operator_service.add_search_attributes(
            AddSearchAttributesRequest(
                namespace=NAMESPACE,
                search_attributes={
                    name: IndexedValueType.Value(f"INDEXED_VALUE_TYPE_{kind.upper()}")
                    for name, kind in SEARCH_ATTRIBUTES.items()
                },
            )
        )
        yield SharedClock(client)


@asynccontextmanager
async def workflow_clocks(address: str, home: Home) -> AsyncIterator[WorkflowClocks]:
    """The real server."""
    host, _, port = address.rpartition(":")
    arguments = [
        str(SITE_PACKAGES_BIN / "temporal"),
        "server",
        "start-dev",
        "--headless",
        f"--ip={host}",
        f"--port={port}",
        f"--namespace={NAMESPACE}",
        "--log-level=error",
        # Off by default.
        "--dynamic-config-value=frontend.WorkflowTimeSkippingEnabled=true",
        *(f"--search-attribute={name}={kind}" for name, kind in SEARCH_ATTRIBUTES.items()),
    ]
    with _process(arguments, home):
        yield WorkflowClocks(await _connected(address))


@contextmanager
def _process(arguments: list[str], home: Home) -> Iterator[None]:
    with (
        home.log_file("temporal").open("ab") as log,
        subprocess.Popen(  # noqa: S603 - our own arguments only
            launch_argv(arguments),
            cwd=SOURCE_ROOT,
            env=clean_environment(home),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        ) as process,
    ):
        try:
            yield
        finally:
            process.kill()  # it has no state to save


async def _connected(address: str) -> Client:
    """A client, once the namespace exists: the port may accept calls before that."""
    end = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            client = await Client.connect(address, namespace=NAMESPACE)
            await client.workflow_service.describe_namespace(
                DescribeNamespaceRequest(namespace=NAMESPACE)
            )
        except (RuntimeError, RPCError):
            assert time.monotonic() < end, f"no Temporal server came up at {address}"
            await asyncio.sleep(0.02)
        else:
            return client
