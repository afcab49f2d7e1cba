"""The object store on a real S3: what a presigned PUT admits, and what the calls tell."""

import base64
import hashlib
from datetime import timedelta

import httpx
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from servicekit import object_store
from servicekit.errors import Reason, Unavailable
from servicekit.object_store import ObjectStore, StoredObject, TooManyBytes
from tests.integration.storage.conftest import ACCEPTED, QUARANTINE, Storage

BODY = b"the bytes that were announced"
MINUTE = timedelta(minutes=1)


def headers_for(body: bytes, content_type: str = "image/png") -> dict[str, str]:
    return {
        "content-length": str(len(body)),
        "content-type": content_type,
        "if-none-match": "*",
        "x-amz-checksum-sha256": base64.b64encode(hashlib.sha256(body).digest()).decode(),
    }


async def put(url: str, body: bytes, headers: dict[str, str]) -> int:
    async with httpx.AsyncClient() as client:
        return (await client.put(url, content=body, headers=headers)).status_code


async def test_a_presigned_put_takes_the_announced_bytes_once(
    objects: ObjectStore, key: str
) -> None:
    url = objects.presign_put(QUARANTINE, key, headers=headers_for(BODY), expires=MINUTE)
    assert await put(url, BODY, headers_for(BODY)) == 200
    stored = await objects.stat(QUARANTINE, key)
    assert stored == StoredObject(len(BODY), "image/png", stored.etag if stored else "")
    assert await put(url, BODY, headers_for(BODY)) == 412
    assert await objects.read(QUARANTINE, key, maximum_bytes=len(BODY)) == BODY


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        pytest.param(BODY + b"!", headers_for(BODY + b"!"), id="another length"),
        pytest.param(BODY, headers_for(BODY, "text/html"), id="another type"),
        pytest.param(BODY.upper(), headers_for(BODY), id="other bytes of the same length"),
        pytest.param(BODY.upper(), headers_for(BODY.upper()), id="another checksum"),
        pytest.param(BODY, headers_for(BODY) | {"if-none-match": "x"}, id="another condition"),
    ],
)
async def test_a_presigned_put_refuses_anything_else(
    objects: ObjectStore, key: str, body: bytes, headers: dict[str, str]
) -> None:
    url = objects.presign_put(QUARANTINE, key, headers=headers_for(BODY), expires=MINUTE)
    assert await put(url, body, headers) in (400, 403)
    assert await objects.stat(QUARANTINE, key) is None


async def test_a_presigned_get_reads_one_object(objects: ObjectStore, key: str) -> None:
    odd_key = f"{key}/ä b~+c"
    await objects.put_immutable(ACCEPTED, odd_key, BODY, content_type="image/png")
    url = objects.presign_get(ACCEPTED, odd_key, expires=MINUTE)
    async with httpx.AsyncClient() as client:
        answer = await client.get(url)
        assert (answer.content, answer.headers["content-type"]) == (BODY, "image/png")
        assert (await client.get(url.replace("~", "-"))).status_code == 403
    await objects.remove(ACCEPTED, odd_key)


async def test_an_immutable_object_keeps_its_first_content(objects: ObjectStore, key: str) -> None:
    await objects.put_immutable(ACCEPTED, key, b"first", content_type="image/png")
    await objects.put_immutable(ACCEPTED, key, b"second", content_type="image/jpeg")
    assert await objects.read(ACCEPTED, key, maximum_bytes=10) == b"first"


async def test_absent_objects_are_none_and_may_be_removed(objects: ObjectStore, key: str) -> None:
    assert await objects.stat(ACCEPTED, key) is None
    assert await objects.read(ACCEPTED, key, maximum_bytes=10) is None
    await objects.remove(ACCEPTED, key)


async def test_reading_stops_at_the_cap(objects: ObjectStore, key: str) -> None:
    await objects.put_immutable(ACCEPTED, key, BODY, content_type="image/png")
    with pytest.raises(TooManyBytes):
        await objects.read(ACCEPTED, key, maximum_bytes=len(BODY) - 1)
    assert await objects.read(ACCEPTED, key, maximum_bytes=len(BODY)) == BODY


async def test_storage_that_is_away_is_unavailable_and_no_secret_is_told(
    storage: Storage,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(object_store, "_tracer", provider.get_tracer("test"))
    away = storage.settings.model_copy(update={"object_store_endpoint": "127.0.0.1:1"})
    async with ObjectStore(away) as objects:
        for call in (
            objects.stat(ACCEPTED, "key"),
            objects.read(ACCEPTED, "key", maximum_bytes=1),
            objects.put_immutable(ACCEPTED, "key", b"", content_type="image/png"),
            objects.remove(ACCEPTED, "key"),
        ):
            with pytest.raises(Unavailable) as caught:
                await call
            assert caught.value.reason is Reason.DEPENDENCY_UNAVAILABLE
    spans = exporter.get_finished_spans()
    assert [span.name for span in spans] == [
        "S3/HeadObject",
        "S3/GetObject",
        "S3/PutObject",
        "S3/DeleteObject",
    ]
    for span in spans:
        assert span.kind is SpanKind.CLIENT
        assert span.status.status_code is StatusCode.ERROR
        attributes = dict(span.attributes or {})
        assert attributes["rpc.system"] == "aws-api"
        assert attributes["aws.s3.bucket"] == ACCEPTED
        assert attributes["aws.s3.key"] == "key"
        assert attributes["server.address"] == "127.0.0.1"
    told = caplog.text + "".join(span.to_json() for span in spans)
    for secret in (
        away.object_store_access_key.get_secret_value(),
        away.object_store_secret_key.get_secret_value(),
        "Signature",
    ):
        assert secret not in told
