"""The creators service with a database of its own for each test."""

from collections.abc import AsyncIterator

import pytest

from devstack.access import Access
from servicekit.postgres.database import Database
from tests.integration.creators.harness import Harness, harness_of
from tests.support.databases import Databases


@pytest.fixture
async def harness(access: Access, databases: Databases) -> AsyncIterator[Harness]:
    async with (
        Database(await databases.fresh("creators"), pool_size=6) as database,
        harness_of(access, database) as harness,
    ):
        yield harness
