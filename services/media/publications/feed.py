"""The feed as a public bucket: documents under articles/, what they show under media/.

Where an app has a feed of its own, another Feed stands in this one's place.
"""

import asyncio

import httpx
import structlog

from servicekit.errors import Internal, Reason, Unavailable
from servicekit.object_store import ObjectStore
from services.media.publications.documents import Document, StoredFile

log = structlog.get_logger()

# A document can be withdrawn, so nobody may keep it for long; files are what their name says.
_DOCUMENT_CACHING = "public, max-age=60"
_FILE_CACHING = "public, max-age=31536000, immutable"
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
        self._copying: dict[str, asyncio.Task[None]] = {}

    def address(self, file: StoredFile) -> str:
        return self._objects.public_url(self._public_bucket, file.key)

    async def show(self, file: StoredFile) -> None:
        """A video may take longer than the call that asks: it goes on all the same, and who asks
        again waits for the same."""
        copying = self._copying.get(file.key)
        if copying is None:
            copying = self._copying[file.key] = asyncio.create_task(self._copy(file))
            copying.add_done_callback(lambda done: self._end(file.key, done))
        await asyncio.shield(copying)

    def _end(self, key: str, done: "asyncio.Task[None]") -> None:
        del self._copying[key]
        if not done.cancelled() and (error := done.exception()):
            log.warning("file_not_shown", key=key, error=type(error).__name__)

    async def _copy(self, file: StoredFile) -> None:
        if await self._objects.stat(self._public_bucket, file.key) is not None:
            return
        if file.size_bytes > _LARGEST_IN_MEMORY_BYTES:
            await self._promote(file)
            return
        content = await self._objects.read(
            self._accepted_bucket, file.accepted_key, maximum_bytes=file.size_bytes
        )
        if content is None:
            raise _missing(file)
        await self._objects.put_immutable(
            self._public_bucket,
            file.key,
            content,
            content_type=file.content_type,
            cache_control=_FILE_CACHING,
        )

    async def _promote(self, file: StoredFile) -> None:
        source = await self._objects.stat(self._accepted_bucket, file.accepted_key)
        if source is None:
            raise _missing(file)
        await self._objects.promote(
            self._accepted_bucket,
            file.accepted_key,
            source.etag,
            self._public_bucket,
            file.key,
            sha256=file.sha256,
            content_type=file.content_type,
        )


def _missing(file: StoredFile) -> Internal:
    return Internal(Reason.INTERNAL, f"The accepted object {file.sha256} is missing")
