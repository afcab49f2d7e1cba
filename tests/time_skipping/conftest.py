"""One stack for all tests of months; each has a Temporal server of its own, since a clock that was
brought forward stays there."""

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
from tests.support.skipping import common_time, own_times
from tests.support.timeless import timeless
from tests.time_skipping.stage import Stage, staging
from tests.workflows import record


@pytest.fixture(scope="session")
def months(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Access]:
    # As the worker's process does: workflows are traced across replays.
    trace.set_tracer_provider(create_tracer_provider(sampler()))
    # OpenTelemetry logs a traceback for each workflow that leaves a worker's cache: when garbage is
    # collected, and where that is while Python compiles, the compiler then fails (CPython 3.11).
    logging.getLogger("opentelemetry.context").setLevel(logging.CRITICAL)
    with timeless(tmp_path_factory.mktemp("months")) as access:
        yield access


@pytest.fixture
async def stage(months: Access, request: pytest.FixtureRequest) -> AsyncIterator[Stage]:
    """All workflows share a clock."""
    async with (
        common_time(months.addresses["temporal"], months.home) as time,
        staging(months, time) as stage,
    ):
        yield stage
        await _record(stage, request)


@pytest.fixture
async def real_stage(months: Access, request: pytest.FixtureRequest) -> AsyncIterator[Stage]:
    """Each workflow has a clock of its own, on the server that production runs."""
    async with (
        own_times(months.addresses["temporal"], months.home) as time,
        staging(months, time) as stage,
    ):
        yield stage
        await _record(stage, request)


async def _record(stage: Stage, request: pytest.FixtureRequest) -> None:
    """The histories of what was played, when that is asked for: see `tests.workflows.record`."""
    if record.RECORDING not in os.environ:
        return
    life = re.sub(r"[^a-z0-9]+", "-", request.node.name.removeprefix("test_").lower()).strip("-")
    counts = Counter[str]()
    for workflow_id in stage.workflow_ids:
        kind = workflow_id.partition("/")[0]
        counts[kind] += 1
        number = f"-{counts[kind]}" if counts[kind] > 1 else ""
        with contextlib.suppress(RPCError):  # not every assignment has a payout
            await record.record(stage.time.client, workflow_id, f"{kind}-{life}{number}")
