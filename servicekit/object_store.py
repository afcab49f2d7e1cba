"""The one seam to object storage: any S3, through the minio SDK in a bounded pool of threads.

What strangers may do is signed in `servicekit.presigning`. What may be stored, under which keys,
and for how long is each service's own business. No signature or key reaches a span or a log.
"""

import asyncio
import base64
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from datetime import timedelta
from itertools import chain
from types import MappingProxyType
from typing import Self, TypeVar
from urllib.parse import urlsplit

import urllib3
from minio import Minio
from minio.credentials.credentials import Credentials
from minio.error import InvalidResponseError, S3Error, ServerError
from minio.signer import sign_v4_s3
from opentelemetry import trace
from opentelemetry.trace import SpanKind, StatusCode
from opentelemetry.util.types import AttributeValue

from servicekit.clock import Clock, utc_now
from servicekit.errors import Reason, Unavailable
from servicekit.presigning import PostForm, Presigner, address_of, amz_date
from servicekit.settings import ObjectStoreSettings

T = TypeVar("T")

_CONNECT_SECONDS = 2.0
_READ_SECONDS = 8.0
_RETRIES = urllib3.Retry(
    total=2, backoff_factor=0.1, status_forcelist=(500, 502, 503, 504), raise_on_status=True
)
_DEFAULT_PORTS = {"https": "443", "http": "80"}
# What S3 answers to `If-None-Match: *` where an object is; and where another write is under way,
# which may yet fail.
_PRECONDITION_FAILED, _CONFLICT = 412, 409
# What a promotion holds in memory, twice.
_RANGE_BYTES = 8 * 1024 * 1024

_tracer = trace.get_tracer(__name__)


@dataclass(frozen=True)
class StoredObject:
    """What storage tells of an object."""

    size_bytes: int
    content_type: str
    etag: str  # names this content under this key, and nothing more: it is no hash of ours


class TooManyBytes(Exception):
    """An object is longer than its reader allows."""


class ObjectChanged(Exception):
    """Under the key lies another object than the one with the etag, or none."""


class HashMismatch(Exception):
    """The bytes are not those whose hash was told."""


class ObjectStore:
    """Objects in buckets. Open and close it in the event loop that uses it.

    Every call raises Unavailable when storage does not answer.
    """

    def __init__(
        self, settings: ObjectStoreSettings, *, pool_size: int = 8, clock: Clock = utc_now
    ) -> None:
        scheme = "https" if settings.object_store_tls else "http"
        host, _, port = settings.object_store_endpoint.rpartition(":")
        # Clients leave a default port out of `Host`, which is signed.
        authority = host if port == _DEFAULT_PORTS[scheme] else f"{host}:{port}"
        self._origin = f"{scheme}://{authority}"
        self._region = settings.object_store_region
        self._credentials = Credentials(
            settings.object_store_access_key.get_secret_value(),
            settings.object_store_secret_key.get_secret_value(),
        )
        self._clock = clock
        self._server: dict[str, AttributeValue] = {
            "server.address": host,
            "server.port": int(port),
        }
        self._threads = ThreadPoolExecutor(pool_size, thread_name_prefix="object-store")
        self._presigner = Presigner(self._origin, self._region, self._credentials, clock)
        self._public_base_url = settings.object_store_public_base_url or self._origin
        self._http = urllib3.PoolManager(
            maxsize=2
            * pool_size,  # a promotion reads and writes at once: else all may wait for all
            block=True,
            timeout=urllib3.Timeout(connect=_CONNECT_SECONDS, read=_READ_SECONDS),
            retries=_RETRIES,
        )
        self._client = Minio(
            settings.object_store_endpoint,
            access_key=self._credentials.access_key,
            secret_key=self._credentials.secret_key,
            secure=settings.object_store_tls,
            region=self._region,  # else the SDK asks for it over the network
            http_client=self._http,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await asyncio.to_thread(self._threads.shutdown, cancel_futures=True)
        self._http.clear()

    def presign_put(
        self, bucket: str, key: str, *, headers: Mapping[str, str], expires: timedelta
    ) -> str:
        """An address that takes one PUT, which must carry just these headers.

        The SDK's own signs none but `host`, and so admits any length, type and content.
        """
        return self._presigner.address("PUT", bucket, key, headers, expires)

    def presign_post(
        self, bucket: str, key: str, *, content_type: str, maximum_bytes: int, expires: timedelta
    ) -> PostForm:
        """A form that takes 1 to `maximum_bytes` bytes, of that type, any number of times."""
        return self._presigner.form(bucket, key, content_type, maximum_bytes, expires)

    def presign_get(self, bucket: str, key: str, *, expires: timedelta) -> str:
        return self._presigner.address("GET", bucket, key, {}, expires)

    def public_url(self, bucket: str, key: str) -> str:
        """Where anybody reads an object of a bucket that is public: unsigned, and good for ever."""
        return address_of(self._public_base_url, bucket, key)

    async def stat(self, bucket: str, key: str) -> StoredObject | None:
        """None when there is no such object."""
        return await self._call("HeadObject", bucket, key, lambda: self._head(bucket, key))

    async def read(self, bucket: str, key: str, *, maximum_bytes: int) -> bytes | None:
        """The whole object; None when there is no such object.

        Raises:
            TooManyBytes: it is longer than `maximum_bytes`, of which no more are kept.
        """

        def get() -> bytes:
            response = self._client.get_object(bucket, key)
            try:
                content = response.read(maximum_bytes + 1)
                if len(content) > maximum_bytes:
                    raise TooManyBytes
                return content
            finally:
                response.close()
                response.release_conn()

        return await self._call("GetObject", bucket, key, lambda: _unless_absent(get))

    async def read_range(
        self, bucket: str, key: str, offset: int, length: int, *, etag: str
    ) -> bytes:
        """Up to `length` bytes from `offset`, as of a file: fewer at its end, none after it.

        Raises:
            ObjectChanged: the object is no longer the one with that etag.
        """
        return await self._call(
            "GetObject", bucket, key, lambda: self._get_range(bucket, key, offset, length, etag)
        )

    async def put_immutable(
        self, bucket: str, key: str, content: bytes, *, content_type: str, cache_control: str = ""
    ) -> None:
        """Writes an object whose key tells its content; one that is there already is left alone."""
        sha256 = hashlib.sha256(content).hexdigest()
        headers = {"Content-Type": content_type, "Cache-Control": cache_control}
        await self._call(
            "PutObject", bucket, key, lambda: self._put(bucket, key, content, sha256, headers)
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
    ) -> None:
        """Copies an object of up to 5 GiB to a key that tells its content, if its hash is `sha256`.

        May be repeated, also after a crash: the target is there as a whole or not at all. The hash
        is taken where it is there already, too: to know the hash of somebody's object is not to
        have the object.

        Raises:
            ObjectChanged: the source is no longer the one with that etag.
            HashMismatch: the source's bytes have another hash.
        """

        def copy() -> None:
            source = self._head(source_bucket, source_key)
            if source is None or source.etag != etag:
                raise ObjectChanged
            ranges = (
                self._get_range(source_bucket, source_key, offset, _RANGE_BYTES, etag)
                for offset in range(0, source.size_bytes, _RANGE_BYTES)
            )
            body = _verified(ranges, sha256)
            if self._head(target_bucket, target_key) is not None:
                for _ in body:
                    pass
                return
            # What is no longer than a range is verified before there is a request.
            body = chain([next(body, b"")], body)
            headers = {"Content-Type": content_type, "Content-Length": str(source.size_bytes)}
            self._put(target_bucket, target_key, body, sha256, headers)

        further = {"aws.s3.copy_source": f"{source_bucket}/{source_key}"}
        await self._call("PutObject", target_bucket, target_key, copy, further)

    async def remove(self, bucket: str, key: str) -> None:
        """Removes an object if it is there."""
        await self._call(
            "DeleteObject", bucket, key, lambda: self._client.remove_object(bucket, key)
        )

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
                if _is_away(error):
                    raise Unavailable(
                        Reason.DEPENDENCY_UNAVAILABLE, "Object storage does not answer"
                    ) from error
                raise

    def _head(self, bucket: str, key: str) -> StoredObject | None:
        found = _unless_absent(lambda: self._client.stat_object(bucket, key))
        if found is None:
            return None
        return StoredObject(found.size or 0, found.content_type or "", found.etag or "")

    def _get_range(self, bucket: str, key: str, offset: int, length: int, etag: str) -> bytes:
        try:
            response = self._client.get_object(
                bucket, key, offset, length, request_headers={"If-Match": f'"{etag}"'}
            )
        except S3Error as error:
            if error.code in ("PreconditionFailed", "NoSuchKey"):
                raise ObjectChanged from error
            if error.code == "InvalidRange":
                return b""
            raise
        try:
            return response.read(length)
        finally:
            response.close()
            response.release_conn()

    def _put(
        self,
        bucket: str,
        key: str,
        body: bytes | Iterator[bytes],
        sha256: str,
        headers: Mapping[str, str],
    ) -> None:
        """A PUT with `If-None-Match`, which the SDK's put_object does not take."""
        url = address_of(self._origin, bucket, key)
        now = self._clock()
        checksum = base64.b64encode(bytes.fromhex(sha256)).decode()
        signed = sign_v4_s3(
            method="PUT",
            url=urlsplit(url),
            region=self._region,
            headers={
                "Host": urlsplit(url).netloc,
                "If-None-Match": "*",
                "x-amz-checksum-sha256": checksum,
                "x-amz-content-sha256": sha256,
                "x-amz-date": amz_date(now),
                **{name: value for name, value in headers.items() if value},
            },
            credentials=self._credentials,
            content_sha256=sha256,
            date=now,
        )
        # What is read while it is sent cannot be sent again.
        retries = _RETRIES if isinstance(body, bytes) else False
        response = self._http.request(
            "PUT",
            url,
            body=body,
            headers={name: str(value) for name, value in signed.items()},
            retries=retries,
        )
        if response.status not in (200, _PRECONDITION_FAILED):
            raise _Refused(response.status)


class _Refused(Exception):
    """Storage answered a PUT with an error."""

    def __init__(self, status: int) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status


def _verified(ranges: Iterable[bytes], sha256: str) -> Iterator[bytes]:
    """The ranges, each held back until the next one is there, and the last until the hash is right.

    So a request that sends them is cut short when it is wrong, which no server takes for a whole
    object: SeaweedFS does not look at `x-amz-content-sha256`.
    """
    digest = hashlib.sha256()
    held = b""
    for each in ranges:
        if held:
            yield held
        digest.update(each)
        held = each
    if digest.hexdigest() != sha256:
        raise HashMismatch
    yield held


def _unless_absent(work: Callable[[], T]) -> T | None:
    try:
        return work()
    except S3Error as error:
        if error.code == "NoSuchKey":
            return None
        raise


def _is_away(error: Exception) -> bool:
    """Storage is unreachable or failing; a refusal, such as of our credentials, is our defect."""
    if isinstance(error, S3Error):
        return error.response.status >= 500
    if isinstance(error, _Refused):
        return error.status >= 500 or error.status == _CONFLICT
    return isinstance(error, (urllib3.exceptions.HTTPError, ServerError, InvalidResponseError))
