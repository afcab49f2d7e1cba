"""A streaming service with its own database for each test."""

from collections.abc import AsyncIterator

import pytest

from devstack.access import Access
from tests.integration.servicekit.harness import Harness, harness_of
from tests.support.databases import Databases


@pytest.fixture
async def harness(access: Access, databases: Databases) -> AsyncIterator[Harness]:
    async with harness_of(access, await databases.fresh("creators")) as harness:
        yield harness
