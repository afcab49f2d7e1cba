"""The one seam to object storage: any S3, through the minio SDK in a bounded pool of threads.

Presigned addresses are signed here, without the network. What may be stored, under which keys, and
for how long is each service's own business. No signature or key reaches a span or a log.
"""

import asyncio
import hashlib
import hmac
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self, TypeVar
from urllib.parse import quote, urlencode, urlsplit

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
from servicekit.settings import ObjectStoreSettings

T = TypeVar("T")

_CONNECT_SECONDS = 2.0
_READ_SECONDS = 8.0
_RETRIES = urllib3.Retry(
    total=2, backoff_factor=0.1, status_forcelist=(500, 502, 503, 504), raise_on_status=True
)
_ALGORITHM = "AWS4-HMAC-SHA256"
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
        self._http = urllib3.PoolManager(
            maxsize=pool_size,
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
        return self._presign("PUT", bucket, key, headers, expires)

    def presign_get(self, bucket: str, key: str, *, expires: timedelta) -> str:
        return self._presign("GET", bucket, key, {}, expires)

    async def stat(self, bucket: str, key: str) -> StoredObject | None:
        """None when there is no such object."""

        def head() -> StoredObject:
            found = self._client.stat_object(bucket, key)
            return StoredObject(found.size or 0, found.content_type or "", found.etag or "")

        return await self._call("HeadObject", bucket, key, _unless_absent(head))

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

        return await self._call("GetObject", bucket, key, _unless_absent(get))

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
        """Copies an object to a key that tells its content, if its hash is `sha256`.

        Raises:
            ObjectChanged: the source is no longer the one with that etag.
            HashMismatch: the source's bytes have another hash.
        """

        def copy() -> None:
            size = self._client.stat_object(source_bucket, source_key).size or 0
            ranges = (
                self._get_range(source_bucket, source_key, offset, _RANGE_BYTES, etag)
                for offset in range(0, size, _RANGE_BYTES)
            )
            self._client.put_object(
                target_bucket,
                target_key,
                _Verified(ranges, sha256),  # type: ignore[arg-type]  # all it needs is read()
                size,
                content_type=content_type,
                part_size=_RANGE_BYTES,
            )

        await self._call("PutObject", target_bucket, target_key, copy)

    async def put_immutable(
        self, bucket: str, key: str, content: bytes, *, content_type: str
    ) -> None:
        """Writes an object whose key tells its content; one that is there already is left alone."""
        url = self._url(bucket, key)

        def put() -> None:
            headers = self._signed_headers(url, content, content_type)
            response = self._http.request("PUT", url, body=content, headers=headers)
            if response.status not in (200, _PRECONDITION_FAILED):
                raise _Refused(response.status)

        await self._call("PutObject", bucket, key, put)

    async def remove(self, bucket: str, key: str) -> None:
        """Removes an object if it is there."""
        await self._call(
            "DeleteObject", bucket, key, lambda: self._client.remove_object(bucket, key)
        )

    async def _call(self, operation: str, bucket: str, key: str, work: Callable[[], T]) -> T:
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

    def _url(self, bucket: str, key: str) -> str:
        return f"{self._origin}/{bucket}/{quote(key, safe='/~')}"

    def _signed_headers(self, url: str, content: bytes, content_type: str) -> dict[str, str]:
        """For a PUT with `If-None-Match`, which the SDK's put_object does not take."""
        sha256 = hashlib.sha256(content).hexdigest()
        now = self._clock()
        signed = sign_v4_s3(
            method="PUT",
            url=urlsplit(url),
            region=self._region,
            headers={
                "Host": urlsplit(url).netloc,
                "Content-Type": content_type,
                "If-None-Match": "*",
                "x-amz-content-sha256": sha256,
                "x-amz-date": _amz_date(now),
            },
            credentials=self._credentials,
            content_sha256=sha256,
            date=now,
        )
        return {name: str(value) for name, value in signed.items()}

    def _presign(
        self, method: str, bucket: str, key: str, headers: Mapping[str, str], expires: timedelta
    ) -> str:
        """Signature Version 4 by query parameters, with `headers` among the signed ones.

        https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
        """
        url = self._url(bucket, key)
        now = self._clock()
        scope = f"{now:%Y%m%d}/{self._region}/s3/aws4_request"
        signed = {name.lower(): value.strip() for name, value in headers.items()}
        signed["host"] = urlsplit(url).netloc
        names = ";".join(sorted(signed))
        parameters = {
            "X-Amz-Algorithm": _ALGORITHM,
            "X-Amz-Credential": f"{self._credentials.access_key}/{scope}",
            "X-Amz-Date": _amz_date(now),
            "X-Amz-Expires": int(expires.total_seconds()),
            "X-Amz-SignedHeaders": names,
        }
        query = urlencode(parameters, quote_via=quote, safe="~")
        lines = [f"{name}:{signed[name]}" for name in sorted(signed)]
        canonical = "\n".join(
            (method, urlsplit(url).path, query, *lines, "", names, "UNSIGNED-PAYLOAD")
        )
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        to_sign = f"{_ALGORITHM}\n{_amz_date(now)}\n{scope}\n{digest}"
        return f"{url}?{query}&X-Amz-Signature={self._signature(scope, to_sign)}"

    def _signature(self, scope: str, to_sign: str) -> str:
        key = f"AWS4{self._credentials.secret_key}".encode()
        for part in (*scope.split("/"), to_sign):
            key = hmac.digest(key, part.encode(), "sha256")
        return key.hex()


def _amz_date(time: datetime) -> str:
    return f"{time:%Y%m%dT%H%M%SZ}"


class _Verified:
    """Ranges as a file, whose last bytes are given out when the hash is right."""

    def __init__(self, ranges: Iterator[bytes], sha256: str) -> None:
        self._ranges = ranges
        self._sha256 = sha256
        self._digest = hashlib.sha256()
        self._ahead = self._next()

    def read(self, size: int) -> bytes:
        given, self._ahead = self._ahead, self._next()
        if not self._ahead and self._digest.hexdigest() != self._sha256:
            raise HashMismatch
        return given

    def _next(self) -> bytes:
        content = next(self._ranges, b"")
        self._digest.update(content)
        return content


class _Refused(Exception):
    """Storage answered a PUT with an error."""

    def __init__(self, status: int) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status


def _unless_absent(work: Callable[[], T]) -> Callable[[], T | None]:
    def run() -> T | None:
        try:
            return work()
        except S3Error as error:
            if error.code == "NoSuchKey":
                return None
            raise

    return run


def _is_away(error: Exception) -> bool:
    """Storage is unreachable or failing; a refusal, such as of our credentials, is our defect."""
    if isinstance(error, S3Error):
        return error.response.status >= 500
    if isinstance(error, _Refused):
        return error.status >= 500 or error.status == _CONFLICT
    return isinstance(error, (urllib3.exceptions.HTTPError, ServerError, InvalidResponseError))
