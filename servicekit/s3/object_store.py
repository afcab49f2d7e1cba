"""The one seam to object storage: any S3, in a bounded pool of threads.

What strangers may do is signed in `servicekit.s3.presigning`, without the network. What may be
stored, under which keys, and for how long is each service's own business. No signature or key
reaches a span or a log.
"""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from datetime import timedelta
from types import MappingProxyType
from typing import Self, TypeVar

from opentelemetry import trace
from opentelemetry.trace import SpanKind, StatusCode
from opentelemetry.util.types import AttributeValue

from servicekit.clock import Clock, utc_now
from servicekit.errors import Reason, Unavailable
from servicekit.s3.client import (
    S3,
    HashMismatch,
    ObjectChanged,
    StoredObject,
    TooManyBytes,
    is_away,
)
from servicekit.s3.presigning import PostForm, Presigner, address_of, origin_of
from servicekit.settings import ObjectStoreSettings

__all__ = [
    "HashMismatch",
    "ObjectChanged",
    "ObjectStore",
    "PostForm",
    "StoredObject",
    "TooManyBytes",
]

T = TypeVar("T")

_tracer = trace.get_tracer(__name__)


class ObjectStore:
    """Objects in buckets. Open and close it in the event loop that uses it.

    Every call raises Unavailable when storage does not answer.
    """

    def __init__(
        self, settings: ObjectStoreSettings, *, pool_size: int = 8, clock: Clock = utc_now
    ) -> None:
        host, _, port = settings.object_store_endpoint.rpartition(":")
        self._server: dict[str, AttributeValue] = {
            "server.address": host,
            "server.port": int(port),
        }
        self._public_base_url = settings.object_store_public_base_url or origin_of(settings)
        self._presigner = Presigner(settings, clock)
        self._threads = ThreadPoolExecutor(pool_size, thread_name_prefix="object-store")
        self._s3 = S3(settings, threads=pool_size, clock=clock)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await asyncio.to_thread(self._threads.shutdown, cancel_futures=True)
        self._s3.close()

    def presign_put(
        self, bucket: str, key: str, *, headers: Mapping[str, str], expires: timedelta
    ) -> str:
        """An address that takes one PUT, which must carry just these headers."""
        return self._presigner.address("PUT", bucket, key, headers, expires)

    def presign_post(
        self, bucket: str, key: str, *, content_type: str, maximum_bytes: int, expires: timedelta
    ) -> PostForm:
        """A form that takes 1 to `maximum_bytes` bytes of that type.

        Unlike a PUT with `if-none-match` it takes them again and again until it expires: what is
        read in several steps must be told by its etag.
        """
        return self._presigner.form(bucket, key, content_type, maximum_bytes, expires)

    def presign_get(self, bucket: str, key: str, *, expires: timedelta) -> str:
        return self._presigner.address("GET", bucket, key, {}, expires)

    def public_url(self, bucket: str, key: str) -> str:
        """Where anybody reads an object of a public bucket, unsigned."""
        return address_of(self._public_base_url, bucket, key)

    async def stat(self, bucket: str, key: str) -> StoredObject | None:
        """None when there is no such object."""
        return await self._call("HeadObject", bucket, key, lambda: self._s3.head(bucket, key))

    async def read(self, bucket: str, key: str, *, maximum_bytes: int) -> bytes | None:
        """The whole object; None when there is no such object.

        Raises:
            TooManyBytes: it is longer than `maximum_bytes`, of which no more are kept.
        """
        return await self._call(
            "GetObject", bucket, key, lambda: self._s3.get(bucket, key, maximum_bytes)
        )

    async def read_range(
        self, bucket: str, key: str, offset: int, length: int, *, etag: str
    ) -> bytes:
        """Up to `length` bytes from `offset`, as of a file: fewer at its end, none after it.

        Raises:
            ObjectChanged: the object is no longer the one with that etag.
        """
        return await self._call(
            "GetObject", bucket, key, lambda: self._s3.get_range(bucket, key, offset, length, etag)
        )

    async def put_immutable(
        self, bucket: str, key: str, content: bytes, *, content_type: str, cache_control: str = ""
    ) -> None:
        """Writes an object whose key tells its content; one that is there already is left alone."""
        headers = _headers(content_type, cache_control)
        await self._call(
            "PutObject", bucket, key, lambda: self._s3.put_new(bucket, key, content, headers)
        )

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
    ) -> None:
        """Copies an object, of up to 5 GiB, to a key that tells its content, if it has that hash.

        May be repeated, also after a crash: the target is there as a whole or not at all. The hash
        is taken where the target is there already, too: who knows the hash of somebody's object
        need not have the object.

        Raises:
            ObjectChanged: the source is no longer the one with that etag.
            HashMismatch: the source's bytes have another hash than `sha256`.
        """
        await self._call(
            "PutObject",
            target_bucket,
            target_key,
            lambda: self._s3.promote(
                (source_bucket, source_key),
                etag,
                (target_bucket, target_key),
                sha256,
                _headers(content_type, cache_control),
            ),
            {"aws.s3.copy_source": f"{source_bucket}/{source_key}"},
        )

    async def remove(self, bucket: str, key: str) -> None:
        """Removes an object if it is there."""
        await self._call("DeleteObject", bucket, key, lambda: self._s3.remove(bucket, key))

    async def _call(
        self,
        operation: str,
        bucket: str,
        key: str,
        work: Callable[[], T],
        further: Mapping[str, AttributeValue] = MappingProxyType({}),
    ) -> T:
        """Runs `work` in a thread, in a span of OpenTelemetry's conventions for S3."""
        with _tracer.start_as_current_span(
            f"S3/{operation}",
            kind=SpanKind.CLIENT,
            attributes={
                "rpc.system": "aws-api",
                "rpc.service": "S3",
                "rpc.method": operation,
                "aws.s3.bucket": bucket,
                "aws.s3.key": key,
                **self._server,
                **further,
            },
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            run = copy_context().run
            try:
                return await asyncio.get_running_loop().run_in_executor(self._threads, run, work)
            except Exception as error:
                # The class tells enough; texts of drivers may quote what they were given.
                span.set_status(StatusCode.ERROR, type(error).__name__)
                span.set_attribute("error.type", type(error).__name__)
                if is_away(error):
                    raise Unavailable(
                        Reason.DEPENDENCY_UNAVAILABLE, "Object storage does not answer"
                    ) from error
                raise


def _headers(content_type: str, cache_control: str) -> dict[str, str]:
    """What is stored with an object, and told to who reads it."""
    caching = {"Cache-Control": cache_control} if cache_control else {}
    return {"Content-Type": content_type, **caching}
