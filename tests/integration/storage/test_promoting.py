"""Promotion: an object is verified and copied as a whole, or not at all."""

import asyncio
import hashlib
import os
import signal
import sys
import tracemalloc
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from servicekit.s3 import client as s3
from servicekit.s3.client import S3
from servicekit.s3.object_store import ObjectStore
from servicekit.s3.objects import HashMismatch, ObjectChanged, StoredObject
from tests.integration.storage.conftest import ACCEPTED, QUARANTINE, Storage

RANGE_BYTES = 64 * 1024
INTERRUPTED_PROMOTION = Path(__file__).with_name("interrupted_promotion.py")
SIZES = [1, RANGE_BYTES - 1, RANGE_BYTES, RANGE_BYTES + 1, 5 * RANGE_BYTES + 7]
MEBIBYTE = 1024 * 1024


def bytes_of(size: int) -> bytes:
    return (b"0123456789abcdef" * (size // 16 + 1))[:size]


def sha256_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def small_ranges(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3, "_RANGE_BYTES", RANGE_BYTES)


async def upload(objects: ObjectStore, key: str, content: bytes) -> StoredObject:
    """Uploads with a presigned URL without conditions: it replaces an existing object."""
    url = objects.presign_put(QUARANTINE, key, headers={}, expires=timedelta(minutes=1))
    async with httpx.AsyncClient(trust_env=False, timeout=60) as anonymous:
        assert (await anonymous.put(url, content=content)).status_code == 200
    stored = await objects.stat(QUARANTINE, key)
    assert stored is not None
    return stored


async def promote(objects: ObjectStore, key: str, source: StoredObject, sha256: str) -> None:
    await objects.promote(
        QUARANTINE, key, source.etag, ACCEPTED, key, sha256=sha256, content_type="video/mp4"
    )


@pytest.mark.usefixtures("small_ranges")
@pytest.mark.parametrize("size", SIZES)
async def test_a_promoted_object_equals_its_source_and_may_be_promoted_again(
    objects: ObjectStore, key: str, size: int
) -> None:
    content = bytes_of(size)
    source = await upload(objects, key, content)
    for _ in range(2):
        await promote(objects, key, source, sha256_of(content))
        stored = await objects.stat(ACCEPTED, key)
        assert stored is not None
        assert (stored.size_bytes, stored.content_type) == (size, "video/mp4")
        assert await objects.read(ACCEPTED, key, maximum_bytes=size) == content


@pytest.mark.usefixtures("small_ranges")
@pytest.mark.parametrize("size", SIZES)
async def test_bytes_with_another_hash_are_not_promoted(
    objects: ObjectStore, key: str, size: int
) -> None:
    source = await upload(objects, key, bytes_of(size))
    with pytest.raises(HashMismatch):
        await promote(objects, key, source, sha256_of(b"what was announced"))
    assert await objects.stat(ACCEPTED, key) is None


@pytest.mark.usefixtures("small_ranges")
async def test_the_hash_of_an_existing_target_is_not_enough(objects: ObjectStore, key: str) -> None:
    there = bytes_of(3 * RANGE_BYTES)
    await objects.put_immutable(ACCEPTED, key, there, content_type="video/mp4")
    source = await upload(objects, key, there[::-1])
    with pytest.raises(HashMismatch):
        await promote(objects, key, source, sha256_of(there))


async def test_a_source_that_was_replaced_or_removed_is_not_promoted(
    objects: ObjectStore, key: str
) -> None:
    content = bytes_of(100)
    source = await upload(objects, key, content)
    await upload(objects, key, content[::-1])
    with pytest.raises(ObjectChanged):
        await promote(objects, key, source, sha256_of(content))
    await objects.remove(QUARANTINE, key)
    with pytest.raises(ObjectChanged):
        await promote(objects, key, source, sha256_of(content))
    assert await objects.stat(ACCEPTED, key) is None


@pytest.mark.usefixtures("small_ranges")
async def test_a_source_replaced_during_promotion_is_not_promoted(
    objects: ObjectStore, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = bytes_of(5 * RANGE_BYTES)
    source = await upload(objects, key, content)
    get_range, loop = S3.get_range, asyncio.get_running_loop()

    def swapping(self: S3, bucket: str, key: str, offset: int, length: int, etag: str) -> bytes:
        if offset == 3 * RANGE_BYTES:
            swap = upload(objects, key, content[::-1])
            asyncio.run_coroutine_threadsafe(swap, loop).result()
        return get_range(self, bucket, key, offset, length, etag)

    monkeypatch.setattr(S3, "get_range", swapping)
    with pytest.raises(ObjectChanged):
        await promote(objects, key, source, sha256_of(content))
    assert await objects.stat(ACCEPTED, key) is None


async def test_a_promotion_can_be_repeated_after_its_process_was_killed(
    storage: Storage, objects: ObjectStore, key: str
) -> None:
    content = bytes_of(5 * RANGE_BYTES)
    source = await upload(objects, key, content)
    settings = storage.settings
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(INTERRUPTED_PROMOTION),
        *(QUARANTINE, ACCEPTED, key, source.etag, sha256_of(content), str(RANGE_BYTES)),
        env=os.environ
        | {
            "LIAISON_OBJECT_STORE_ENDPOINT": settings.object_store_endpoint,
            "LIAISON_OBJECT_STORE_ACCESS_KEY": settings.object_store_access_key.get_secret_value(),
            "LIAISON_OBJECT_STORE_SECRET_KEY": settings.object_store_secret_key.get_secret_value(),
            "LIAISON_OBJECT_STORE_REGION": settings.object_store_region,
            "LIAISON_OBJECT_STORE_TLS": str(settings.object_store_tls).lower(),
        },
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    async with asyncio.timeout(20):
        assert await process.stdout.readline() == b"half way\n"
    process.kill()
    assert await process.wait() == -signal.SIGKILL
    assert await objects.stat(ACCEPTED, key) is None
    await promote(objects, key, source, sha256_of(content))
    assert await objects.read(ACCEPTED, key, maximum_bytes=len(content)) == content


@pytest.mark.usefixtures("small_ranges")
async def test_concurrent_promotions_of_one_object_succeed(objects: ObjectStore, key: str) -> None:
    content = bytes_of(9 * RANGE_BYTES)
    source = await upload(objects, key, content)
    await asyncio.gather(*(promote(objects, key, source, sha256_of(content)) for _ in range(16)))
    assert await objects.read(ACCEPTED, key, maximum_bytes=len(content)) == content


async def test_a_large_object_is_not_held_in_memory(objects: ObjectStore, key: str) -> None:
    content = bytes_of(96 * MEBIBYTE)
    source, sha256 = await upload(objects, key, content), sha256_of(content)
    del content
    tracemalloc.start()
    try:
        await promote(objects, key, source, sha256)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 40 * MEBIBYTE
    stored = await objects.stat(ACCEPTED, key)
    assert stored is not None
    assert stored.size_bytes == 96 * MEBIBYTE
    for bucket in (QUARANTINE, ACCEPTED):
        await objects.remove(bucket, key)
