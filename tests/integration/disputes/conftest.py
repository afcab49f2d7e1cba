"""A real Temporal server for these tests, and a fresh harness for each."""

from collections.abc import AsyncIterator, Iterator

import pytest

from devstack.access import Access, attach
from devstack.home import Home
from tests.integration.disputes.harness import Harness, harness_of
from tests.support.databases import Databases
from tests.support.servers import servers


@pytest.fixture(scope="package")
def temporal_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    home = tmp_path_factory.mktemp("temporal")
    with servers(home, ("temporal",)):
        access = attach(Home(home))
        assert access is not None
        yield access.addresses["temporal"]


@pytest.fixture
async def harness(
    access: Access, databases: Databases, temporal_address: str
) -> AsyncIterator[Harness]:
    async with harness_of(access, databases, temporal_address) as harness:
        yield harness
