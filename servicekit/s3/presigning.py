"""Presigned URLs and forms (AWS Signature Version 4), signed without the network.

Not the SDK's own, which sign no header but `host` and do not take a clock.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from urllib.parse import quote, urlencode, urlsplit

from minio.credentials.credentials import Credentials

from servicekit.clock import Clock
from servicekit.s3.objects import PostForm
from servicekit.settings import ObjectStoreSettings

_ALGORITHM = "AWS4-HMAC-SHA256"
_DEFAULT_PORTS = {"https": "443", "http": "80"}


class Presigner:
    def __init__(self, settings: ObjectStoreSettings, clock: Clock) -> None:
        self._origin = origin_url(settings)
        self._region = settings.object_store_region
        self._credentials = credentials_of(settings)
        self._clock = clock

    def url(
        self, method: str, bucket: str, key: str, headers: Mapping[str, str], expires: timedelta
    ) -> str:
        """A URL for one method, with `headers` signed.

        https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
        """
        target = object_url(self._origin, bucket, key)
        now = self._clock()
        scope = self._scope(now)
        signed = {name.lower(): value.strip() for name, value in headers.items()}
        signed["host"] = urlsplit(target).netloc
        names = ";".join(sorted(signed))
        parameters = {
            "X-Amz-Algorithm": _ALGORITHM,
            "X-Amz-Credential": f"{self._credentials.access_key}/{scope}",
            "X-Amz-Date": amz_date(now),
            "X-Amz-Expires": int(expires.total_seconds()),
            "X-Amz-SignedHeaders": names,
        }
        query = urlencode(parameters, quote_via=quote, safe="~")
        lines = [f"{name}:{signed[name]}" for name in sorted(signed)]
        canonical = "\n".join(
            (method, urlsplit(target).path, query, *lines, "", names, "UNSIGNED-PAYLOAD")
        )
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        to_sign = f"{_ALGORITHM}\n{amz_date(now)}\n{scope}\n{digest}"
        return f"{target}?{query}&X-Amz-Signature={self._signature(scope, to_sign)}"

    def form(
        self, bucket: str, key: str, content_type: str, maximum_bytes: int, expires: timedelta
    ) -> PostForm:
        """A form for 1 to `maximum_bytes` bytes with this key and this content type.

        https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html
        """
        now = self._clock()
        scope = self._scope(now)
        fields = {
            "key": key,
            "Content-Type": content_type,
            "x-amz-algorithm": _ALGORITHM,
            "x-amz-credential": f"{self._credentials.access_key}/{scope}",
            "x-amz-date": amz_date(now),
        }
        policy = {
            "expiration": f"{now + expires:%Y-%m-%dT%H:%M:%S.000Z}",
            "conditions": [
                {"bucket": bucket},
                *({name: value} for name, value in fields.items()),
                ["content-length-range", 1, maximum_bytes],
            ],
        }
        fields["policy"] = base64.b64encode(json.dumps(policy).encode()).decode()
        fields["x-amz-signature"] = self._signature(scope, fields["policy"])
        return PostForm(f"{self._origin}/{bucket}", fields)

    def _scope(self, now: datetime) -> str:
        return f"{now:%Y%m%d}/{self._region}/s3/aws4_request"

    def _signature(self, scope: str, to_sign: str) -> str:
        key = f"AWS4{self._credentials.secret_key}".encode()
        for part in (*scope.split("/"), to_sign):
            key = hmac.digest(key, part.encode(), "sha256")
        return key.hex()


def origin_url(settings: ObjectStoreSettings) -> str:
    """Scheme, host and port of the object store."""
    scheme = "https" if settings.object_store_tls else "http"
    host, _, port = settings.object_store_endpoint.rpartition(":")
    # Clients omit a default port from `Host`, which is signed.
    authority = host if port == _DEFAULT_PORTS[scheme] else f"{host}:{port}"
    return f"{scheme}://{authority}"


def credentials_of(settings: ObjectStoreSettings) -> Credentials:
    return Credentials(
        settings.object_store_access_key.get_secret_value(),
        settings.object_store_secret_key.get_secret_value(),
    )


def object_url(origin: str, bucket: str, key: str) -> str:
    return f"{origin}/{bucket}/{quote(key, safe='/~')}"


def amz_date(time: datetime) -> str:
    return f"{time:%Y%m%dT%H%M%SZ}"
