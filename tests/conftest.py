"""Fixtures for all tests. Servers are started only when a test needs one."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from devstack.access import Access, attach
from devstack.home import Home
from servicekit.process import die_with_parent
from tests.support.databases import Databases
from tests.support.servers import servers

# Set by `python -m tests`, which starts one set of servers for all of pytest's workers.
TEST_HOME = "LIAISON_TEST_HOME"


def pytest_configure() -> None:
    """Kills an xdist worker when the run ends: threads of the Temporal SDK may hang its exit."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        die_with_parent(os.getppid())


@pytest.fixture(scope="session")
def access(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Access]:
    """Access to a real Postgres and a real S3 server."""
    if shared := os.environ.get(TEST_HOME):
        yield _attached(Path(shared))
        return
    home = tmp_path_factory.mktemp("servers")
    with servers(home, ("postgres", "s3")):
        yield _attached(home)


def _attached(home: Path) -> Access:
    access = attach(Home(home))
    assert access is not None, f"no servers run in {home}"
    return access


@pytest.fixture(scope="session")
def databases(access: Access) -> Databases:
    return Databases(access)
