"""Differences between SeaweedFS and MinIO, as in docs/storage.md; new versions may remove some."""

import base64
import hashlib
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from servicekit.errors import Unavailable
from servicekit.s3.object_store import ObjectStore
from tests.integration.storage.conftest import ACCEPTED, MINIO, PUBLIC, QUARANTINE, Storage

BODY = b"somebody else's bytes"
MINUTE = timedelta(minutes=1)


@pytest.fixture
def is_minio(storage: Storage) -> bool:
    if storage.kind not in ("minio", "seaweedfs"):
        pytest.skip("the differences of other servers are not known")
    return storage.kind == "minio"


@pytest.mark.skipif(not MINIO, reason="MinIO is not built: run `make minio` (needs Go)")
async def test_the_suite_runs_on_minio_too(
    storage: Storage, anonymous: httpx.AsyncClient, is_minio: bool
) -> None:
    """Skipped if MinIO is not built."""
    answer = await anonymous.get(storage.origin)
    assert (answer.headers.get("server") == "MinIO") == is_minio


async def test_minio_follows_an_unsigned_copy_source_of_an_upload(
    objects: ObjectStore, anonymous: httpx.AsyncClient, key: str, is_minio: bool
) -> None:
    await objects.put_immutable(ACCEPTED, key, BODY, content_type="image/png")
    headers = {
        "content-length": "4",
        "content-type": "image/png",
        "if-none-match": "*",
        "x-amz-checksum-sha256": base64.b64encode(hashlib.sha256(b"mine").digest()).decode(),
    }
    url = objects.presign_put(QUARANTINE, key, headers=headers, expires=MINUTE)
    theft = {**headers, "x-amz-copy-source": f"/{ACCEPTED}/{key}"}
    answer = await anonymous.put(url, content=b"mine", headers=theft)
    assert answer.status_code == (200 if is_minio else 403)
    found = await objects.read(QUARANTINE, key, maximum_bytes=100)
    assert found == (BODY if is_minio else None)


async def test_seaweedfs_ignores_an_acl_in_a_form(
    objects: ObjectStore, anonymous: httpx.AsyncClient, key: str, is_minio: bool
) -> None:
    form = objects.presign_post(
        QUARANTINE, key, content_type="image/png", maximum_bytes=100, expires=MINUTE
    )
    fields = {**form.fields, "acl": "public-read"}
    answer = await anonymous.post(form.url, data=fields, files={"file": BODY})
    assert answer.status_code == (403 if is_minio else 204)
    assert (await anonymous.get(objects.public_url(QUARANTINE, key))).status_code == 403


async def test_seaweedfs_has_directories(
    objects: ObjectStore, anonymous: httpx.AsyncClient, key: str, is_minio: bool
) -> None:
    await objects.put_immutable(PUBLIC, f"{key}/below", BODY, content_type="image/png")
    answer = await anonymous.get(objects.public_url(PUBLIC, f"{key}/"))
    assert answer.status_code == (404 if is_minio else 200)
    if is_minio:
        await objects.put_immutable(PUBLIC, key, BODY, content_type="image/png")
    else:
        assert answer.content == b""
        with pytest.raises(Unavailable):
            await objects.put_immutable(PUBLIC, key, BODY, content_type="image/png")
    assert await objects.read(PUBLIC, key, maximum_bytes=100) == (BODY if is_minio else None)


@pytest.mark.parametrize("end", ["/", "\\"])
async def test_seaweedfs_stores_nothing_for_a_key_that_ends_in_a_slash(
    objects: ObjectStore, key: str, is_minio: bool, end: str
) -> None:
    await objects.put_immutable(ACCEPTED, f"{key}{end}", BODY, content_type="image/png")
    found = await objects.read(ACCEPTED, f"{key}{end}", maximum_bytes=100)
    assert found == (BODY if is_minio else b"")


async def test_seaweedfs_accepts_a_url_before_its_time(
    storage: Storage, objects: ObjectStore, anonymous: httpx.AsyncClient, key: str, is_minio: bool
) -> None:
    await objects.put_immutable(ACCEPTED, key, BODY, content_type="image/png")
    async with ObjectStore(storage.settings, clock=_in_half_an_hour) as early:
        url = early.presign_get(ACCEPTED, key, expires=MINUTE)
    assert (await anonymous.get(url)).status_code == (403 if is_minio else 200)


async def test_minio_copies_over_an_existing_object(
    objects: ObjectStore, key: str, is_minio: bool
) -> None:
    for name in ("source", "target"):
        await objects.put_immutable(ACCEPTED, f"{key}/{name}", name.encode(), content_type="a/b")
    client = objects._s3._client
    headers = {"x-amz-copy-source": f"/{ACCEPTED}/{key}/source", "If-None-Match": "*"}
    target = f"{key}/target"
    if is_minio:
        client._execute("PUT", ACCEPTED, target, headers=headers)
    else:
        with pytest.raises(Exception, match="PreconditionFailed"):
            client._execute("PUT", ACCEPTED, target, headers=headers)
    found = await objects.read(ACCEPTED, target, maximum_bytes=10)
    assert found == (b"source" if is_minio else b"target")


def _in_half_an_hour() -> datetime:
    return datetime.now(UTC) + 30 * MINUTE
