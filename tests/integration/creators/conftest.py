"""The creators service with a database of its own for each test."""

from collections.abc import AsyncIterator

import pytest

from devstack.access import Access
from servicekit.database import Database
from tests.integration.creators.house import House, house_of
from tests.support.databases import Databases


@pytest.fixture
async def house(access: Access, databases: Databases) -> AsyncIterator[House]:
    async with (
        Database(await databases.fresh("creators"), pool_size=6) as database,
        house_of(access, database) as house,
    ):
        yield house
