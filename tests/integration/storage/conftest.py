"""The conformance suite for object storage, on every available S3 server.

SeaweedFS is always available; MinIO if it is built; and a server that has the three buckets if
LIAISON_OBJECT_STORE_ENDPOINT and its related variables are set. docs/storage.md lists how they
differ.
"""

import os
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from uuid import uuid4

import httpx
import pytest
from pydantic import SecretStr

from devstack.access import Access, attach
from devstack.home import Home
from devstack.object_store import SERVER_VARIABLE, chosen_server, minio_binary
from servicekit.s3.object_store import ObjectStore
from servicekit.settings import ObjectStoreSettings
from tests.support.servers import servers

MINIO = ("minio",) if minio_binary() else ()
CONFIGURED = ("configured",) if "LIAISON_OBJECT_STORE_ENDPOINT" in os.environ else ()
QUARANTINE, ACCEPTED, PUBLIC = "media-quarantine", "media-accepted", "media-public"


@dataclass(frozen=True)
class Storage:
    """One S3 server and its settings."""

    kind: str
    settings: ObjectStoreSettings

    @property
    def origin(self) -> str:
        scheme = "https" if self.settings.object_store_tls else "http"
        return f"{scheme}://{self.settings.object_store_endpoint}"


@pytest.fixture(scope="session", params=["seaweedfs", *MINIO, *CONFIGURED])
def storage(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Storage]:
    kind = str(request.param)
    if kind == "configured":
        yield Storage(kind, ObjectStoreSettings())  # type: ignore[call-arg]  # the environment fills it
        return
    if kind == chosen_server(Home(tmp_path_factory.mktemp("new"))):
        yield Storage(kind, _settings(request.getfixturevalue("access")))
        return
    home = tmp_path_factory.mktemp(kind)
    with servers(home, ("s3",), environment={SERVER_VARIABLE: kind}):
        access = attach(Home(home))
        assert access is not None
        yield Storage(kind, _settings(access))


def _settings(access: Access) -> ObjectStoreSettings:
    access_key, secret_key = access.object_store_credentials
    return ObjectStoreSettings(
        object_store_endpoint=access.addresses["s3"],
        object_store_access_key=SecretStr(access_key),
        object_store_secret_key=SecretStr(secret_key),
        object_store_tls=False,
    )


@pytest.fixture
async def objects(storage: Storage) -> AsyncIterator[ObjectStore]:
    async with ObjectStore(storage.settings) as objects:
        yield objects


@pytest.fixture
async def anonymous() -> AsyncIterator[httpx.AsyncClient]:
    """An HTTP client without a key."""
    async with httpx.AsyncClient(trust_env=False) as client:
        yield client


@pytest.fixture
def key() -> str:
    return f"tests/{uuid4().hex}"
