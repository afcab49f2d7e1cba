"""What calls to object storage take, return and raise. Pure: `ObjectStore` makes the calls."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol


@dataclass(frozen=True)
class StoredObject:
    """Metadata of an object. `etag` distinguishes contents of one key; it is no hash of ours."""

    size_bytes: int
    content_type: str
    etag: str


@dataclass(frozen=True)
class PostForm:
    """Where to send a multipart/form-data POST, and its fields before the field `file`."""

    url: str
    fields: dict[str, str]


class TooManyBytes(Exception):
    """An object is longer than its reader allows."""


class ObjectChanged(Exception):
    """The key has no object with that etag: it was replaced or removed."""


class HashMismatch(Exception):
    """The bytes do not have the expected SHA-256."""


class ObjectStorage(Protocol):
    """`servicekit.s3.object_store.ObjectStore`, as use cases see it; documented there."""

    def presign_put(
        self, bucket: str, key: str, *, headers: Mapping[str, str], expires: timedelta
    ) -> str: ...

    def presign_post(
        self, bucket: str, key: str, *, content_type: str, maximum_bytes: int, expires: timedelta
    ) -> PostForm: ...

    def presign_get(self, bucket: str, key: str, *, expires: timedelta) -> str: ...

    def public_url(self, bucket: str, key: str) -> str: ...

    async def stat(self, bucket: str, key: str) -> StoredObject | None: ...

    async def read(self, bucket: str, key: str, *, maximum_bytes: int) -> bytes | None: ...

    async def read_range(
        self, bucket: str, key: str, offset: int, length: int, *, etag: str
    ) -> bytes: ...

    async def put_immutable(
        self, bucket: str, key: str, content: bytes, *, content_type: str, cache_control: str = ""
    ) -> None: ...

    async def promote(
        self,
        source_bucket: str,
        source_key: str,
        etag: str,
        target_bucket: str,
        target_key: str,
        *,
        sha256: str,
        content_type: str,
        cache_control: str = "",
    ) -> None: ...

    async def remove(self, bucket: str, key: str) -> None: ...
