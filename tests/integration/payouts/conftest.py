"""A payouts service on a real Postgres, with the real creators service beside it and the PayPal
sandbox at the other end."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from devstack.access import Access
from servicekit.database import Database
from tests.integration.payouts.house import House, house_of
from tests.support.databases import Databases


@pytest.fixture
async def database(databases: Databases) -> AsyncIterator[Database]:
    async with Database(await databases.fresh("payouts")) as database:
        yield database


@pytest.fixture
async def house(
    access: Access, databases: Databases, database: Database, tmp_path: Path
) -> AsyncIterator[House]:
    async with (
        Database(await databases.fresh("creators")) as creators,
        house_of(access, database, creators, tmp_path) as house,
    ):
        yield house
