"""The public bucket: readable by anybody, nothing else; the other buckets are not readable."""

import httpx
import pytest

from servicekit.s3.object_store import ObjectStore
from tests.integration.storage.conftest import ACCEPTED, PUBLIC, QUARANTINE, Storage

BODY = b"for everybody"
CACHED = "public, max-age=31536000, immutable"


async def test_a_public_object_is_readable_until_it_is_removed(
    objects: ObjectStore, anonymous: httpx.AsyncClient, key: str
) -> None:
    odd_key = f"{key}/ä b~+c.html"
    url = objects.public_url(PUBLIC, odd_key)
    assert (await anonymous.get(url)).status_code == 404
    await objects.put_immutable(
        PUBLIC, odd_key, BODY, content_type="text/html; charset=utf-8", cache_control=CACHED
    )
    answer = await anonymous.get(url)
    assert (answer.status_code, answer.content) == (200, BODY)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == CACHED
    await objects.remove(PUBLIC, odd_key)
    assert (await anonymous.get(url)).status_code == 404


@pytest.mark.parametrize("query", ["", "/", "?list-type=2&prefix=tests", "?uploads", "?policy"])
async def test_listing_requires_a_key(
    storage: Storage, anonymous: httpx.AsyncClient, query: str
) -> None:
    for bucket in (PUBLIC, ACCEPTED, QUARANTINE):
        answer = await anonymous.get(f"{storage.origin}/{bucket}{query}")
        assert answer.status_code == 403


async def test_writing_and_removing_require_a_key(
    objects: ObjectStore, anonymous: httpx.AsyncClient, storage: Storage, key: str
) -> None:
    await objects.put_immutable(PUBLIC, key, BODY, content_type="text/plain")
    url, bucket = objects.public_url(PUBLIC, key), f"{storage.origin}/{PUBLIC}"
    removal = f"<Delete><Object><Key>{key}</Key></Object></Delete>".encode()
    for answer in (
        await anonymous.put(url, content=b"other"),
        await anonymous.put(f"{url}-new", content=b"other"),
        await anonymous.put(f"{url}-copy", headers={"x-amz-copy-source": f"/{ACCEPTED}/{key}"}),
        await anonymous.post(bucket, data={"key": key}, files={"file": b"other"}),
        await anonymous.post(f"{url}?uploads"),
        await anonymous.delete(url),
        await anonymous.post(f"{bucket}?delete", content=removal),
        await anonymous.delete(bucket),
    ):
        assert answer.status_code in (400, 403)
    assert await objects.read(PUBLIC, key, maximum_bytes=100) == BODY
    assert await objects.stat(PUBLIC, f"{key}-new") is None


async def test_reading_other_buckets_requires_a_key(
    objects: ObjectStore, anonymous: httpx.AsyncClient, key: str
) -> None:
    for bucket in (ACCEPTED, QUARANTINE):
        await objects.put_immutable(bucket, key, BODY, content_type="text/plain")
        for name in (key, f"{key}-absent"):
            assert (await anonymous.get(objects.public_url(bucket, name))).status_code == 403
            assert (await anonymous.head(objects.public_url(bucket, name))).status_code == 403


async def test_the_public_base_url_is_configurable(storage: Storage) -> None:
    settings = storage.settings.model_copy(
        update={"object_store_public_base_url": "https://media.example.com/liaison"}
    )
    async with ObjectStore(settings) as objects:
        url = objects.public_url(PUBLIC, "feed/ä b.html")
    assert url == "https://media.example.com/liaison/media-public/feed/%C3%A4%20b.html"
