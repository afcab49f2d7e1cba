"""A fresh harness for each test."""

from collections.abc import AsyncIterator

import pytest

from devstack.access import Access
from servicekit.postgres.database import Database
from tests.integration.bad_input.harness import Harness, harness_of
from tests.support.databases import Databases


@pytest.fixture
async def harness(access: Access, databases: Databases) -> AsyncIterator[Harness]:
    url = await databases.fresh("tasks")
    async with (
        Database(url, pool_size=4) as database,
        harness_of(access, database, url) as harness,
    ):
        yield harness
