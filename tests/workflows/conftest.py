"""For each test a world of its own, on a server whose clock runs ahead.

One server for several tests would pass the clocks that earlier ones left running, and one that was
cut off in the middle of a step can keep it from skipping time at all.
"""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.testing import WorkflowEnvironment

from tests.workflows.world import World, living
from workflows.search_attributes import SEARCH_ATTRIBUTES


@pytest.fixture
async def environment() -> AsyncIterator[WorkflowEnvironment]:
    server = Path(sys.executable).with_name("temporal-test-server")
    async with await WorkflowEnvironment.start_time_skipping(
        test_server_existing_path=str(server)
    ) as environment:
        await environment.client.operator_service.add_search_attributes(
            AddSearchAttributesRequest(
                namespace=environment.client.namespace,
                search_attributes={
                    name: IndexedValueType.Value(f"INDEXED_VALUE_TYPE_{kind.upper()}")
                    for name, kind in SEARCH_ATTRIBUTES.items()
                },
            )
        )
        yield environment


@pytest.fixture
async def world(environment: WorkflowEnvironment) -> AsyncIterator[World]:
    async with living(environment) as world:
        yield world
