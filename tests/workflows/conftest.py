"""For each test a world of its own, on a server whose clock runs ahead.

One server for several tests would pass the clocks that earlier ones left running, and one that was
cut off in the middle of a step can keep it from skipping time at all.
"""

from collections.abc import AsyncIterator

import pytest
from temporalio.testing import WorkflowEnvironment

from tests.workflows.environments import keeping_time, skipping_time
from tests.workflows.harness import Harness, running_harness


@pytest.fixture
async def environment() -> AsyncIterator[WorkflowEnvironment]:
    async with skipping_time() as environment:
        yield environment


@pytest.fixture
async def harness(environment: WorkflowEnvironment) -> AsyncIterator[Harness]:
    async with running_harness(environment) as harness:
        yield harness


@pytest.fixture
async def real_harness() -> AsyncIterator[Harness]:
    async with keeping_time() as environment, running_harness(environment) as harness:
        yield harness
