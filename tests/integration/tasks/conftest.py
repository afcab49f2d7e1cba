"""The tasks service, with a fresh database for each test."""

from collections.abc import AsyncIterator

import pytest

from devstack.access import Access
from servicekit.postgres.database import Database
from tests.integration.tasks.harness import Harness, harness_of
from tests.support.databases import Databases


@pytest.fixture
async def harness(access: Access, databases: Databases) -> AsyncIterator[Harness]:
    url = await databases.fresh("tasks")
    async with (
        Database(url) as database,
        harness_of(access, database, url) as harness,
    ):
        yield harness
