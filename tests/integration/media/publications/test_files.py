"""Media that readers see: copies of an article's own, however large."""

import hashlib
from uuid import uuid4

import httpx
import pytest

from servicekit.errors import Internal
from servicekit.s3.object_store import ObjectStore
from services.media.publications.documents import PublicFile, StoredFile, public_file
from services.media.publications.feed.store import BucketFiles
from tests.integration.media.conftest import ACCEPTED
from tests.integration.media.publications.harness import PUBLIC


async def accepted(objects: ObjectStore, size_bytes: int) -> PublicFile:
    content = uuid4().bytes * (size_bytes // 16)
    file = StoredFile(hashlib.sha256(content).hexdigest(), "video/mp4", len(content), 1920, 1080)
    await objects.put_immutable(ACCEPTED, file.accepted_key, content, content_type="video/mp4")
    return public_file("a1", file)


@pytest.mark.parametrize("size_bytes", [16, 20 * 1024 * 1024])
async def test_a_file_is_public_as_it_was_accepted_until_it_is_removed(
    objects: ObjectStore, size_bytes: int
) -> None:
    files, file = BucketFiles(objects, ACCEPTED, PUBLIC), await accepted(objects, size_bytes)
    for _ in range(2):
        await files.publish(file)
    async with httpx.AsyncClient(trust_env=False) as http:
        shown = await http.get(files.url(file))
        assert hashlib.sha256(shown.content).hexdigest() == file.stored.sha256
        assert shown.headers["content-type"] == "video/mp4"
        # Caches serve a removed file for a day at most.
        assert shown.headers["cache-control"] == "public, max-age=86400"
        for _ in range(2):
            await files.remove(file)
        assert (await http.get(files.url(file))).status_code in (403, 404)
    assert await objects.stat(ACCEPTED, file.stored.accepted_key) is not None


async def test_a_missing_accepted_object_is_an_internal_error(objects: ObjectStore) -> None:
    files = BucketFiles(objects, ACCEPTED, PUBLIC)
    for size_bytes in (1, 20 * 1024 * 1024):
        file = public_file("a1", StoredFile(uuid4().hex * 2, "image/png", size_bytes, 1, 1))
        with pytest.raises(Internal):
            await files.publish(file)
