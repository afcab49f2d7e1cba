"""A blocking S3 client, for use from threads.

Services use `servicekit.s3.object_store`. No signature or key is logged.
"""

import base64
import hashlib
import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from typing import TypeVar
from urllib.parse import urlsplit

import urllib3
from minio import Minio
from minio.error import InvalidResponseError, S3Error, ServerError
from minio.signer import sign_v4_s3

from servicekit.clock import Clock
from servicekit.s3.objects import HashMismatch, ObjectChanged, StoredObject, TooManyBytes
from servicekit.s3.presigning import amz_date, credentials_of, object_url, origin_url
from servicekit.settings import ObjectStoreSettings

T = TypeVar("T")

_TIMEOUT = urllib3.Timeout(connect=2.0, read=8.0)
# For a promotion, which may wait for concurrent writes. urllib3 limits each chunk by `connect`.
_LARGE_TIMEOUT = urllib3.Timeout(connect=30.0, read=60.0)
_RETRIES = urllib3.Retry(
    total=2, backoff_factor=0.1, status_forcelist=(500, 502, 503, 504), raise_on_status=True
)
# S3's status for `If-None-Match: *` where the key has an object; and where another write is in
# progress, which may yet fail.
_PRECONDITION_FAILED, _CONFLICT = 412, 409
_RANGE_BYTES = 8 * 1024 * 1024  # a promotion holds two in memory


class S3:
    def __init__(self, settings: ObjectStoreSettings, *, threads: int, clock: Clock) -> None:
        self._origin = origin_url(settings)
        self._credentials = credentials_of(settings)
        self._region = settings.object_store_region
        self._clock = clock
        self._http = urllib3.PoolManager(
            # A promotion holds two connections: with fewer, promotions could deadlock.
            maxsize=2 * threads,
            block=True,
            timeout=_TIMEOUT,
            retries=_RETRIES,
        )
        self._client = Minio(
            settings.object_store_endpoint,
            access_key=self._credentials.access_key,
            secret_key=self._credentials.secret_key,
            secure=settings.object_store_tls,
            region=self._region,  # else the SDK requests it over the network
            http_client=self._http,
        )

    def close(self) -> None:
        self._http.clear()

    def head(self, bucket: str, key: str) -> StoredObject | None:
        found = _unless_absent(lambda: self._client.stat_object(bucket, key))
        if found is None:
            return None
        return StoredObject(found.size or 0, found.content_type or "", found.etag or "")

    def get(self, bucket: str, key: str, maximum_bytes: int) -> bytes | None:
        response = _unless_absent(lambda: self._client.get_object(bucket, key))
        if response is None:
            return None
        try:
            content = response.read(maximum_bytes + 1)
            if len(content) > maximum_bytes:
                raise TooManyBytes
            return content
        finally:
            response.close()
            response.release_conn()

    def get_range(self, bucket: str, key: str, offset: int, length: int, etag: str) -> bytes:
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

    def put_new(self, bucket: str, key: str, content: bytes, headers: Mapping[str, str]) -> None:
        """Writes the object, unless the key has one already."""
        sha256 = hashlib.sha256(content).hexdigest()
        sized = {**headers, "Content-Length": str(len(content))}
        # A file object: the timeout applies to each piece, and a retry starts again from 0.
        self._put(bucket, key, io.BytesIO(content), sha256, sized)

    def promote(
        self,
        source: tuple[str, str],
        etag: str,
        target: tuple[str, str],
        sha256: str,
        headers: Mapping[str, str],
    ) -> None:
        """Copies an object to another bucket and key, entirely or not at all; see `ObjectStore`."""
        found = self.head(*source)
        if found is None or found.etag != etag:
            raise ObjectChanged
        ranges = (
            self.get_range(*source, offset, _RANGE_BYTES, etag)
            for offset in range(0, found.size_bytes, _RANGE_BYTES)
        )
        verified = _verified(ranges, sha256)
        if self.head(*target) is None:
            # An object of one range is verified before the request is sent.
            body = chain([next(verified)], verified)
            sized = {**headers, "Content-Length": str(found.size_bytes)}
            self._put(*target, body, sha256, sized)
        for _ in verified:
            pass  # the target exists already: the source is verified all the same

    def remove(self, bucket: str, key: str) -> None:
        self._client.remove_object(bucket, key)

    def _put(
        self,
        bucket: str,
        key: str,
        body: io.BytesIO | Iterator[bytes],
        sha256: str,
        headers: Mapping[str, str],
    ) -> None:
        """PUT with `If-None-Match: *`, which the SDK's put_object does not support."""
        url = object_url(self._origin, bucket, key)
        # An iterator is consumed while it is sent and cannot be sent again.
        can_retry = isinstance(body, io.BytesIO)
        response = self._http.request(
            "PUT",
            url,
            body=body,
            headers=self._signed_headers(url, sha256, headers),
            retries=_RETRIES if can_retry else False,
            timeout=_TIMEOUT if can_retry else _LARGE_TIMEOUT,
        )
        status = response.status
        if status == _PRECONDITION_FAILED and self.head(bucket, key) is None:
            status = _CONFLICT  # no object (yet): a write in progress, or a directory of SeaweedFS
        if status not in (200, _PRECONDITION_FAILED):
            raise _Refused(status)

    def _signed_headers(self, url: str, sha256: str, headers: Mapping[str, str]) -> dict[str, str]:
        now = self._clock()
        signed = sign_v4_s3(
            method="PUT",
            url=urlsplit(url),
            region=self._region,
            headers={
                **headers,
                "Host": urlsplit(url).netloc,
                "If-None-Match": "*",
                "x-amz-checksum-sha256": base64.b64encode(bytes.fromhex(sha256)).decode(),
                "x-amz-content-sha256": sha256,
                "x-amz-date": amz_date(now),
            },
            credentials=self._credentials,
            content_sha256=sha256,
            date=now,
        )
        return {name: str(value) for name, value in signed.items()}


def is_unavailable(error: Exception) -> bool:
    """Whether storage is unreachable or failing. A refusal, such as of credentials, is not that."""
    if isinstance(error, S3Error):
        return error.response.status >= 500
    if isinstance(error, _Refused):
        return error.status >= 500 or error.status == _CONFLICT
    return isinstance(error, (urllib3.exceptions.HTTPError, ServerError, InvalidResponseError))


class _Refused(Exception):
    """Storage responded to a PUT with an error."""

    def __init__(self, status: int) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status


def _verified(ranges: Iterable[bytes], sha256: str) -> Iterator[bytes]:
    """Yields `ranges` one behind, and the last only if the hash of all is right.

    A request with this body is thus cut short if the hash is wrong, and a server keeps no object
    from part of a body. Not all servers compare hashes themselves.

    Raises:
        HashMismatch: before the last range.
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
