"""One stack for all time-skipping tests; each test has a Temporal server of its own, since a
clock that was moved forward cannot be moved back."""

import contextlib
import logging
import os
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterator

import pytest
from opentelemetry import trace
from temporalio.contrib.opentelemetry import create_tracer_provider
from temporalio.service import RPCError

from devstack.access import Access
from servicekit.telemetry import sampler
from tests.support.stack_without_temporal import stack_without_temporal
from tests.support.temporal_servers import shared_clock, workflow_clocks
from tests.time_skipping.harness import Harness, running_harness
from tests.workflows import record


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Access]:
    # As the worker's process does: workflows are traced across replays.
    trace.set_tracer_provider(create_tracer_provider(sampler()))
    # OpenTelemetry logs a traceback for each workflow that leaves a worker's cache: when garbage is
    # collected, and where that is while Python compiles, the compiler then fails (CPython 3.11).
    logging.getLogger("opentelemetry.context").setLevel(logging.CRITICAL)
    with stack_without_temporal(tmp_path_factory.mktemp("time-skipping")) as access:
        yield access


@pytest.fixture
async def harness(stack: Access, request: pytest.FixtureRequest) -> AsyncIterator[Harness]:
    """On the test server, where all workflows share a clock."""
    async with (
        shared_clock(stack.addresses["temporal"], stack.home) as time,
        running_harness(stack, time) as harness,
    ):
        yield harness
        await _record(harness, request)


@pytest.fixture
async def real_harness(stack: Access, request: pytest.FixtureRequest) -> AsyncIterator[Harness]:
    """On the production server, where each workflow has a clock of its own."""
    async with (
        workflow_clocks(stack.addresses["temporal"], stack.home) as time,
        running_harness(stack, time) as harness,
    ):
        yield harness
        await _record(harness, request)


async def _record(harness: Harness, request: pytest.FixtureRequest) -> None:
    """Records the histories of the test's workflows if asked for: see `tests.workflows.record`."""
    if record.RECORDING not in os.environ:
        return
    test = re.sub(r"[^a-z0-9]+", "-", request.node.name.removeprefix("test_").lower()).strip("-")
    counts = Counter[str]()
    for workflow_id in harness.workflow_ids:
        kind = workflow_id.partition("/")[0]
        counts[kind] += 1
        number = f"-{counts[kind]}" if counts[kind] > 1 else ""
        with contextlib.suppress(RPCError):  # not every assignment has a payout
            await record.record(harness.time.client, workflow_id, f"{kind}-{test}{number}")
