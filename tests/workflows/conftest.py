"""For each test a world of its own, on a server whose clock runs ahead.

One server for several tests would pass the clocks that earlier ones left running, and one that was
cut off in the middle of a step can keep it from skipping time at all.
"""

from collections.abc import AsyncIterator

import pytest
from temporalio.testing import WorkflowEnvironment

from tests.workflows.environments import keeping_time, skipping_time
from tests.workflows.world import World, living


@pytest.fixture
async def environment() -> AsyncIterator[WorkflowEnvironment]:
    async with skipping_time() as environment:
        yield environment


@pytest.fixture
async def world(environment: WorkflowEnvironment) -> AsyncIterator[World]:
    async with living(environment) as world:
        yield world


@pytest.fixture
async def real_world() -> AsyncIterator[World]:
    async with keeping_time() as environment, living(environment) as world:
        yield world
