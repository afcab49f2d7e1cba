"""A press for each test: the media service with its articles and publications, on a real Postgres,
S3 and storefront."""

from collections.abc import AsyncIterator

import pytest

from devstack.access import Access
from servicekit.postgres.database import Database
from tests.integration.media.conftest import Harness
from tests.integration.media.publications.press import Press, press_of


@pytest.fixture
async def press(access: Access, database: Database, harness: Harness) -> AsyncIterator[Press]:
    async with press_of(access, database, harness) as press:
        yield press
