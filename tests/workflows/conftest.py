"""A server and a harness of its own for each test.

On a shared server one test would fire the clocks that another left running, and a test that is
interrupted in a workflow task can stop time skipping altogether.
"""

from collections.abc import AsyncIterator

import pytest
from temporalio.testing import WorkflowEnvironment

from tests.workflows.environments import real_time_environment, time_skipping_environment
from tests.workflows.harness import Harness, running_harness


@pytest.fixture
async def environment() -> AsyncIterator[WorkflowEnvironment]:
    async with time_skipping_environment() as environment:
        yield environment


@pytest.fixture
async def harness(environment: WorkflowEnvironment) -> AsyncIterator[Harness]:
    async with running_harness(environment) as harness:
        yield harness


@pytest.fixture
async def real_harness() -> AsyncIterator[Harness]:
    async with real_time_environment() as environment, running_harness(environment) as harness:
        yield harness
