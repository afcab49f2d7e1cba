"""Object storage for services: an asyncio interface to S3, over a bounded pool of threads.

Presigned URLs are signed locally (`servicekit.s3.presigning`). Keys and lifetimes of objects are up
to each service. No signature or key is put into a span or a log.
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
from servicekit.s3.client import S3, is_unavailable
from servicekit.s3.objects import PostForm, StoredObject
from servicekit.s3.presigning import Presigner, object_url, origin_url
from servicekit.settings import ObjectStoreSettings

T = TypeVar("T")

_tracer = trace.get_tracer(__name__)
_RPC: Mapping[str, AttributeValue] = {"rpc.system": "aws-api", "rpc.service": "S3"}


class ObjectStore:
    """Objects in buckets. Open and close it in the event loop that uses it.

    Every call raises Unavailable if storage does not respond.
    """

    def __init__(
        self, settings: ObjectStoreSettings, *, pool_size: int = 8, clock: Clock = utc_now
    ) -> None:
        host, _, port = settings.object_store_endpoint.rpartition(":")
        self._server: dict[str, AttributeValue] = {
            "server.address": host,
            "server.port": int(port),
        }
        self._public_base_url = settings.object_store_public_base_url or origin_url(settings)
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
        """A URL that admits one PUT with exactly these headers."""
        return self._presigner.url("PUT", bucket, key, headers, expires)

    def presign_post(
        self, bucket: str, key: str, *, content_type: str, maximum_bytes: int, expires: timedelta
    ) -> PostForm:
        """A form that admits 1 to `maximum_bytes` bytes of that type.

        Unlike a PUT with `if-none-match`, it may be posted repeatedly until it expires: whoever
        reads the object in several steps must compare its etag.
        """
        return self._presigner.form(bucket, key, content_type, maximum_bytes, expires)

    def presign_get(self, bucket: str, key: str, *, expires: timedelta) -> str:
        """A URL that reads one object."""
        return self._presigner.url("GET", bucket, key, {}, expires)

    def public_url(self, bucket: str, key: str) -> str:
        """The unsigned URL of an object in a public bucket."""
        return object_url(self._public_base_url, bucket, key)

    async def stat(self, bucket: str, key: str) -> StoredObject | None:
        """Metadata; None if there is no such object."""
        return await self._call("HeadObject", bucket, key, lambda: self._s3.head(bucket, key))

    async def read(self, bucket: str, key: str, *, maximum_bytes: int) -> bytes | None:
        """The whole object; None if there is no such object.

        Raises:
            TooManyBytes: it is longer than `maximum_bytes`; no more are read.
        """
        return await self._call(
            "GetObject", bucket, key, lambda: self._s3.get(bucket, key, maximum_bytes)
        )

    async def read_range(
        self, bucket: str, key: str, offset: int, length: int, *, etag: str
    ) -> bytes:
        """Up to `length` bytes from `offset`: fewer at the end of the object, none after it.

        Raises:
            ObjectChanged: the key no longer has the object with that etag.
        """
        return await self._call(
            "GetObject", bucket, key, lambda: self._s3.get_range(bucket, key, offset, length, etag)
        )

    async def put_immutable(
        self, bucket: str, key: str, content: bytes, *, content_type: str, cache_control: str = ""
    ) -> None:
        """Writes an object whose key determines its content; an existing object is kept."""
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
        """Copies an object of up to 5 GiB to a content-addressed key, if its hash is right.

        May be repeated, also after a crash: the target exists as a whole or not at all. The source
        is hashed even if the target exists: knowing the hash of another's object does not prove
        having the object.

        Raises:
            ObjectChanged: the source key no longer has the object with that etag.
            HashMismatch: the source has another hash than `sha256`.
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
        """Removes an object if it exists."""
        await self._call("DeleteObject", bucket, key, lambda: self._s3.remove(bucket, key))

    async def _call(
        self,
        operation: str,
        bucket: str,
        key: str,
        work: Callable[[], T],
        attributes: Mapping[str, AttributeValue] = MappingProxyType({}),
    ) -> T:
        """Runs `work` in a thread, in a span by OpenTelemetry's conventions for S3."""
        with _tracer.start_as_current_span(
            f"S3/{operation}",
            kind=SpanKind.CLIENT,
            attributes={
                **_RPC,
                "rpc.method": operation,
                "aws.s3.bucket": bucket,
                "aws.s3.key": key,
                **self._server,
                **attributes,
            },
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            run = copy_context().run
            try:
                return await asyncio.get_running_loop().run_in_executor(self._threads, run, work)
            except Exception as error:
                # The class only: messages of drivers may quote signatures.
                span.set_status(StatusCode.ERROR, type(error).__name__)
                span.set_attribute("error.type", type(error).__name__)
                if is_unavailable(error):
                    raise Unavailable(
                        Reason.DEPENDENCY_UNAVAILABLE, "Object storage does not respond"
                    ) from error
                raise


def _headers(content_type: str, cache_control: str) -> dict[str, str]:
    """Headers that are stored with an object and sent to its readers."""
    caching = {"Cache-Control": cache_control} if cache_control else {}
    return {"Content-Type": content_type, **caching}
