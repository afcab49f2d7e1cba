"""The feed in a public bucket: the documents of articles, and copies of their media.

For an app with a feed of its own, replace `BucketFeed` by another implementation of `Feed`.
"""

import asyncio

import httpx

from servicekit.errors import Internal, Reason, Unavailable
from servicekit.s3.object_store import ObjectStore
from services.media.publications.documents import Document, PublicFile, StoredFile

# Documents can be withdrawn, so that caches may keep them for a minute only. Files never change and
# are not found without the document: caches may serve a removed file for up to a day.
_DOCUMENT_CACHING = "public, max-age=60"
_FILE_CACHING = "public, max-age=86400"
# In all deliveries and withdrawals together: an article can have hundreds of files, and uploads use
# the same object storage.
_FILES_AT_ONCE = 6
# Larger files are copied from bucket to bucket in parts.
_LARGEST_IN_MEMORY_BYTES = 16 * 1024 * 1024
_TIMEOUT_SECONDS = 5.0  # well below the deadline of DeliverPublication


class BucketFeed:
    """`http` reads documents as readers do: without credentials, by the public URL."""

    def __init__(self, objects: ObjectStore, bucket: str, http: httpx.AsyncClient) -> None:
        self._objects = objects
        self._bucket = bucket
        self._http = http

    async def publish(self, document: Document) -> str:
        await self._objects.put_immutable(
            self._bucket,
            document.key,
            document.encoded(),
            content_type="application/json",
            cache_control=_DOCUMENT_CACHING,
        )
        url = self._objects.public_url(self._bucket, document.key)
        # A stored document is published only when readers can get it.
        if not await self._is_readable(url):
            raise Unavailable(
                Reason.DEPENDENCY_UNAVAILABLE, "The document cannot be read by its public URL yet"
            )
        return url

    async def withdraw(self, key: str) -> None:
        await self._objects.remove(self._bucket, key)

    async def _is_readable(self, url: str) -> bool:
        try:
            response = await self._http.get(url, timeout=_TIMEOUT_SECONDS, follow_redirects=False)
        except httpx.HTTPError:
            return False
        return response.status_code == httpx.codes.OK


class BucketFiles:
    """Public copies of accepted objects, which themselves are reached by presigned URLs only."""

    def __init__(self, objects: ObjectStore, accepted_bucket: str, public_bucket: str) -> None:
        self._objects = objects
        self._accepted_bucket = accepted_bucket
        self._public_bucket = public_bucket
        self._slots = asyncio.Semaphore(_FILES_AT_ONCE)

    def url(self, file: PublicFile) -> str:
        return self._objects.public_url(self._public_bucket, file.key)

    async def publish(self, file: PublicFile) -> None:
        async with self._slots:
            await self._copy(file)

    async def remove(self, file: PublicFile) -> None:
        async with self._slots:
            await self._objects.remove(self._public_bucket, file.key)

    async def _copy(self, file: PublicFile) -> None:
        if await self._objects.stat(self._public_bucket, file.key) is not None:
            return
        stored = file.stored
        if stored.size_bytes > _LARGEST_IN_MEMORY_BYTES:
            await self._promote(file)
            return
        content = await self._objects.read(
            self._accepted_bucket, stored.accepted_key, maximum_bytes=stored.size_bytes
        )
        if content is None:
            raise _missing(stored)
        await self._objects.put_immutable(
            self._public_bucket,
            file.key,
            content,
            content_type=stored.content_type,
            cache_control=_FILE_CACHING,
        )

    async def _promote(self, file: PublicFile) -> None:
        stored = file.stored
        source = await self._objects.stat(self._accepted_bucket, stored.accepted_key)
        if source is None:
            raise _missing(stored)
        await self._objects.promote(
            self._accepted_bucket,
            stored.accepted_key,
            source.etag,
            self._public_bucket,
            file.key,
            sha256=stored.sha256,
            content_type=stored.content_type,
            cache_control=_FILE_CACHING,
        )


def _missing(stored: StoredFile) -> Internal:
    return Internal(Reason.INTERNAL, f"The accepted object {stored.sha256} is missing")
