"""The tasks service with a database of its own for each test."""

from collections.abc import AsyncIterator

import pytest

from devstack.access import Access
from servicekit.database import Database
from tests.integration.tasks.house import House, house_of
from tests.support.databases import Databases


@pytest.fixture
async def house(access: Access, databases: Databases) -> AsyncIterator[House]:
    url = await databases.fresh("tasks")
    async with (
        Database(url) as database,
        house_of(access, database, url) as house,
    ):
        yield house
