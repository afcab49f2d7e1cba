"""The feed as a public bucket: an article's document and copies of what it shows, side by side.

Where an app has a feed of its own, another Feed stands in this one's place.
"""

import asyncio

import httpx

from servicekit.errors import Internal, Reason, Unavailable
from servicekit.s3.object_store import ObjectStore
from services.media.publications.documents import Document, PublicFile, StoredFile

# What can be withdrawn nobody may keep for long. Files never change, but they can go, too: browsers
# and proxies show them for a day after that at most, and nobody finds them without the document.
_DOCUMENT_CACHING = "public, max-age=60"
_FILE_CACHING = "public, max-age=86400"
# By all deliveries and withdrawals together: an article has hundreds of files, and storage has
# others to answer.
_FILES_AT_ONCE = 6
# What is larger goes from bucket to bucket in pieces.
_LARGEST_IN_MEMORY_BYTES = 16 * 1024 * 1024
_TIMEOUT_SECONDS = 5.0  # well below the deadline of the call that waits


class BucketFeed:
    """`http` reads as readers do: without a key, by the public address."""

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
        # Storage that took it need not show it: readers decide what is published.
        if not await self._is_shown(url):
            raise Unavailable(Reason.DEPENDENCY_UNAVAILABLE, "The feed does not show it yet")
        return url

    async def withdraw(self, key: str) -> None:
        await self._objects.remove(self._bucket, key)

    async def _is_shown(self, url: str) -> bool:
        try:
            answer = await self._http.get(url, timeout=_TIMEOUT_SECONDS, follow_redirects=False)
        except httpx.HTTPError:
            return False
        return answer.status_code == httpx.codes.OK


class BucketFiles:
    """Copies of accepted objects, which are reached by signed addresses only."""

    def __init__(self, objects: ObjectStore, accepted_bucket: str, public_bucket: str) -> None:
        self._objects = objects
        self._accepted_bucket = accepted_bucket
        self._public_bucket = public_bucket
        self._in_hand = asyncio.Semaphore(_FILES_AT_ONCE)

    def address(self, file: PublicFile) -> str:
        return self._objects.public_url(self._public_bucket, file.key)

    async def show(self, file: PublicFile) -> None:
        async with self._in_hand:
            await self._copy(file)

    async def remove(self, file: PublicFile) -> None:
        async with self._in_hand:
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
