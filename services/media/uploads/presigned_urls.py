"""Presigned URLs for clients: to write one upload to quarantine, and to read accepted objects."""

import base64
from dataclasses import dataclass, field
from datetime import datetime

from servicekit.s3.objects import ObjectStorage
from services.media.domain import URL_LIFETIME, Buckets, MediaObject, StoredImage


@dataclass(frozen=True)
class PresignedUrl:
    """A URL, its expiry, and what goes with it: headers of a PUT, or fields of a POST form."""

    url: str
    expire_time: datetime
    headers: dict[str, str] = field(default_factory=dict)
    form_fields: dict[str, str] = field(default_factory=dict)


class UrlSigner:
    def __init__(self, objects: ObjectStorage, buckets: Buckets) -> None:
        self._objects = objects
        self._buckets = buckets

    def for_upload(self, media: MediaObject, now: datetime) -> PresignedUrl | None:
        """A PUT of exactly the announced bytes, once; or a form, for at most as many bytes.

        None if nothing may be uploaded any more.
        """
        lifetime = media.url_lifetime(now)
        if not lifetime:
            return None
        announced, bucket, key = media.announced, self._buckets.quarantine, media.quarantine_key
        # Signatures have a resolution of one second.
        expire_time = now.replace(microsecond=0) + lifetime
        if announced.sha256 is None:
            form = self._objects.presign_post(
                bucket,
                key,
                content_type=announced.content_type,
                maximum_bytes=announced.size_bytes,
                expires=lifetime,
            )
            return PresignedUrl(form.url, expire_time, form_fields=dict(form.fields))
        headers = {
            "content-length": str(announced.size_bytes),
            "content-type": announced.content_type,
            "if-none-match": "*",
            "x-amz-checksum-sha256": base64.b64encode(bytes.fromhex(announced.sha256)).decode(),
        }
        url = self._objects.presign_put(bucket, key, headers=headers, expires=lifetime)
        return PresignedUrl(url, expire_time, headers)

    def for_download(self, stored: StoredImage, now: datetime) -> PresignedUrl:
        url = self._objects.presign_get(self._buckets.accepted, stored.key, expires=URL_LIFETIME)
        return PresignedUrl(url, now.replace(microsecond=0) + URL_LIFETIME)
