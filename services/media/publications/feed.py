"""The feed as a public bucket: documents under articles/, what they show under media/.

Where an app has a feed of its own, another Feed stands in this one's place.
"""

from servicekit.errors import Internal, Reason, Unavailable
from servicekit.object_store import ObjectStore
from services.media.publications.documents import Document, StoredFile

# A document can be withdrawn, so nobody may keep it for long; files are what their name says.
_DOCUMENT_CACHING = "public, max-age=60"
_FILE_CACHING = "public, max-age=31536000, immutable"
# An article's text has no limit (R85); what its draft came in, a message, has one far below this.
_LARGEST_DOCUMENT_BYTES = 64 * 1024 * 1024


class BucketFeed:
    def __init__(self, objects: ObjectStore, bucket: str) -> None:
        self._objects = objects
        self._bucket = bucket

    async def publish(self, document: Document) -> str:
        await self._objects.put_immutable(
            self._bucket,
            document.key,
            document.encoded(),
            content_type="application/json",
            cache_control=_DOCUMENT_CACHING,
        )
        # Storage that took it need not show it: readers decide what is published.
        shown = await self._objects.read(
            self._bucket, document.key, maximum_bytes=_LARGEST_DOCUMENT_BYTES
        )
        if shown is None:
            raise Unavailable(Reason.DEPENDENCY_UNAVAILABLE, "The feed does not show it yet")
        return self._objects.public_url(self._bucket, document.key)

    async def withdraw(self, key: str) -> None:
        await self._objects.remove(self._bucket, key)


class BucketFiles:
    """Copies of accepted objects, which are reached by signed addresses only."""

    def __init__(self, objects: ObjectStore, accepted_bucket: str, public_bucket: str) -> None:
        self._objects = objects
        self._accepted_bucket = accepted_bucket
        self._public_bucket = public_bucket

    def address(self, file: StoredFile) -> str:
        return self._objects.public_url(self._public_bucket, file.key)

    async def show(self, file: StoredFile) -> None:
        if await self._objects.stat(self._public_bucket, file.key) is not None:
            return
        content = await self._objects.read(
            self._accepted_bucket, f"sha256/{file.sha256}", maximum_bytes=file.size_bytes
        )
        if content is None:
            raise Internal(Reason.INTERNAL, f"The accepted object {file.sha256} is missing")
        await self._objects.put_immutable(
            self._public_bucket,
            file.key,
            content,
            content_type=file.content_type,
            cache_control=_FILE_CACHING,
        )
