"""A service that streams, with a database of its own for each test."""

from collections.abc import AsyncIterator

import pytest

from devstack.access import Access
from tests.integration.servicekit.diary import House, house_of
from tests.support.databases import Databases


@pytest.fixture
async def house(access: Access, databases: Databases) -> AsyncIterator[House]:
    async with house_of(access, await databases.fresh("creators")) as house:
        yield house
