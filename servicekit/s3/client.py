"""One S3, asked from threads: each call blocks until it is answered.

`servicekit.s3.object_store` is what services use. No signature or key reaches a log.
"""

import base64
import hashlib
import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import TypeVar
from urllib.parse import urlsplit

import urllib3
from minio import Minio
from minio.error import InvalidResponseError, S3Error, ServerError
from minio.signer import sign_v4_s3

from servicekit.clock import Clock
from servicekit.s3.presigning import address_of, amz_date, credentials_of, origin_of
from servicekit.settings import ObjectStoreSettings

T = TypeVar("T")

_TIMEOUT = urllib3.Timeout(connect=2.0, read=8.0)
# For a promotion, which may wait for others' writes. urllib3 sends each chunk within `connect`.
_LARGE_TIMEOUT = urllib3.Timeout(connect=30.0, read=60.0)
_RETRIES = urllib3.Retry(
    total=2, backoff_factor=0.1, status_forcelist=(500, 502, 503, 504), raise_on_status=True
)
# What S3 answers to `If-None-Match: *` where an object is; and where another write is under way,
# which may yet fail.
_PRECONDITION_FAILED, _CONFLICT = 412, 409
_RANGE_BYTES = 8 * 1024 * 1024  # a promotion has two of these in memory


@dataclass(frozen=True)
class StoredObject:
    """What storage tells of an object."""

    size_bytes: int
    content_type: str
    etag: str  # tells one content of this key from another, and nothing more: it is no hash of ours


class TooManyBytes(Exception):
    """An object is longer than its reader allows."""


class ObjectChanged(Exception):
    """Under the key lies another object than the one with that etag, or none."""


class HashMismatch(Exception):
    """The bytes are not those whose hash was told."""


class S3:
    def __init__(self, settings: ObjectStoreSettings, *, threads: int, clock: Clock) -> None:
        self._origin = origin_of(settings)
        self._credentials = credentials_of(settings)
        self._region = settings.object_store_region
        self._clock = clock
        self._http = urllib3.PoolManager(
            # A promotion has two connections at once: with fewer, all could wait for all.
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
            region=self._region,  # else the SDK asks for it over the network
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
        """Leaves what is there already alone."""
        sha256 = hashlib.sha256(content).hexdigest()
        sized = {**headers, "Content-Length": str(len(content))}
        # As a file: sent piece by piece, so that time runs for each, and again from its start.
        self._put(bucket, key, io.BytesIO(content), sha256, sized)

    def promote(
        self,
        source: tuple[str, str],
        etag: str,
        target: tuple[str, str],
        sha256: str,
        headers: Mapping[str, str],
    ) -> None:
        """Copies what has that hash from one bucket and key to another: all of it, or nothing."""
        found = self.head(*source)
        if found is None or found.etag != etag:
            raise ObjectChanged
        ranges = (
            self.get_range(*source, offset, _RANGE_BYTES, etag)
            for offset in range(0, found.size_bytes, _RANGE_BYTES)
        )
        verified = _verified(ranges, sha256)
        if self.head(*target) is None:
            # What is no longer than a range is verified before there is a request.
            body = chain([next(verified)], verified)
            sized = {**headers, "Content-Length": str(found.size_bytes)}
            self._put(*target, body, sha256, sized)
        for _ in verified:
            pass  # somebody else's write came first: the source must be right all the same

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
        """A PUT with `If-None-Match`, which the SDK's put_object does not take."""
        url = address_of(self._origin, bucket, key)
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
        # What is read from elsewhere while it is sent cannot be sent again.
        can_retry = isinstance(body, io.BytesIO)
        response = self._http.request(
            "PUT",
            url,
            body=body,
            headers={name: str(value) for name, value in signed.items()},
            retries=_RETRIES if can_retry else False,
            timeout=_TIMEOUT if can_retry else _LARGE_TIMEOUT,
        )
        status = response.status
        if status == _PRECONDITION_FAILED and self.head(bucket, key) is None:
            status = _CONFLICT  # what is in the way is no object, or not yet
        if status not in (200, _PRECONDITION_FAILED):
            raise _Refused(status)


def is_away(error: Exception) -> bool:
    """Storage is unreachable or failing; a refusal, such as of our credentials, is our defect."""
    if isinstance(error, S3Error):
        return error.response.status >= 500
    if isinstance(error, _Refused):
        return error.status >= 500 or error.status == _CONFLICT
    return isinstance(error, (urllib3.exceptions.HTTPError, ServerError, InvalidResponseError))


class _Refused(Exception):
    """Storage answered a PUT with an error."""

    def __init__(self, status: int) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status


def _verified(ranges: Iterable[bytes], sha256: str) -> Iterator[bytes]:
    """The ranges, each held back until the next one is there, and the last until the hash is right.

    So a request whose body they are is cut short when the hash is wrong, and no server takes half a
    body for an object. Servers do not all compare hashes themselves.
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
