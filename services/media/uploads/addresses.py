"""Presigned addresses: what a stranger may write to quarantine, and read of what was accepted."""

import base64
from dataclasses import dataclass, field
from datetime import datetime

from servicekit.s3.object_store import ObjectStore
from services.media.domain import ADDRESS_LIFETIME, Buckets, MediaObject, StoredImage


@dataclass(frozen=True)
class Address:
    """A presigned address, until when it is good, and what it takes: headers that go with a PUT, or
    fields of a form to POST."""

    url: str
    expire_time: datetime
    headers: dict[str, str] = field(default_factory=dict)
    form_fields: dict[str, str] = field(default_factory=dict)


class Addresses:
    def __init__(self, objects: ObjectStore, buckets: Buckets) -> None:
        self._objects = objects
        self._buckets = buckets

    def to_upload(self, media: MediaObject, now: datetime) -> Address | None:
        """For just the announced bytes, once; for a form, as many bytes at most. None where nothing
        may be uploaded any more."""
        lifetime = media.address_lifetime(now)
        if not lifetime:
            return None
        announced, bucket, key = media.announced, self._buckets.quarantine, media.quarantine_key
        # Signatures know whole seconds only.
        expire_time = now.replace(microsecond=0) + lifetime
        if announced.sha256 is None:
            form = self._objects.presign_post(
                bucket,
                key,
                content_type=announced.content_type,
                maximum_bytes=announced.size_bytes,
                expires=lifetime,
            )
            return Address(form.url, expire_time, form_fields=dict(form.fields))
        headers = {
            "content-length": str(announced.size_bytes),
            "content-type": announced.content_type,
            "if-none-match": "*",
            "x-amz-checksum-sha256": base64.b64encode(bytes.fromhex(announced.sha256)).decode(),
        }
        url = self._objects.presign_put(bucket, key, headers=headers, expires=lifetime)
        return Address(url, expire_time, headers)

    def to_download(self, stored: StoredImage, now: datetime) -> Address:
        url = self._objects.presign_get(
            self._buckets.accepted, stored.key, expires=ADDRESS_LIFETIME
        )
        return Address(url, now.replace(microsecond=0) + ADDRESS_LIFETIME)
