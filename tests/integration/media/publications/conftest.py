"""A press for each test: the media service with its articles and publications, on a real Postgres,
S3 and storefront."""

from collections.abc import AsyncIterator

import pytest

from devstack.access import Access
from servicekit.database import Database
from tests.integration.media.conftest import House
from tests.integration.media.publications.press import Press, press_of


@pytest.fixture
async def press(access: Access, database: Database, house: House) -> AsyncIterator[Press]:
    async with press_of(access, database, house) as press:
        yield press
