"""Media that readers see: copies by content, however large."""

import asyncio
import hashlib
from uuid import uuid4

import pytest

from servicekit.errors import Internal
from servicekit.object_store import ObjectStore
from services.media.publications.documents import StoredFile
from services.media.publications.feed import BucketFiles
from tests.integration.media.conftest import ACCEPTED
from tests.integration.media.publications.press import PUBLIC


async def accepted(objects: ObjectStore, size_bytes: int) -> StoredFile:
    content = uuid4().bytes * (size_bytes // 16)
    file = StoredFile(hashlib.sha256(content).hexdigest(), "video/mp4", len(content), 1920, 1080)
    await objects.put_immutable(ACCEPTED, file.accepted_key, content, content_type="video/mp4")
    return file


@pytest.mark.parametrize("size_bytes", [16, 20 * 1024 * 1024])
async def test_a_file_is_shown_as_it_was_accepted(objects: ObjectStore, size_bytes: int) -> None:
    files, file = BucketFiles(objects, ACCEPTED, PUBLIC), await accepted(objects, size_bytes)
    for _ in range(2):
        await files.show(file)
    shown = await objects.read(PUBLIC, file.key, maximum_bytes=size_bytes)
    assert shown is not None
    assert hashlib.sha256(shown).hexdigest() == file.sha256
    stored = await objects.stat(PUBLIC, file.key)
    assert stored is not None
    assert stored.content_type == "video/mp4"


async def test_who_gives_up_stops_no_copy(objects: ObjectStore) -> None:
    files, file = BucketFiles(objects, ACCEPTED, PUBLIC), await accepted(objects, 20 * 1024 * 1024)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.001):
            await files.show(file)
    await files.show(file)
    assert await objects.stat(PUBLIC, file.key) is not None


async def test_what_is_missing_is_our_defect(objects: ObjectStore) -> None:
    files = BucketFiles(objects, ACCEPTED, PUBLIC)
    for size_bytes in (1, 20 * 1024 * 1024):
        file = StoredFile(uuid4().hex * 2, "image/png", size_bytes, 1, 1)
        with pytest.raises(Internal):
            await files.show(file)
