"""The media service with its articles and publications for each test."""

from collections.abc import AsyncIterator

import pytest

from devstack.access import Access
from servicekit.postgres.database import Database
from tests.integration.media.conftest import Harness as MediaHarness
from tests.integration.media.publications.harness import Harness, publications_harness


@pytest.fixture
async def publications(
    access: Access, database: Database, harness: MediaHarness
) -> AsyncIterator[Harness]:
    async with publications_harness(access, database, harness) as publications:
        yield publications
