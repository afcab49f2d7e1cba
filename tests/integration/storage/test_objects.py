"""Reading and writing objects, errors, and spans."""

import asyncio
import hashlib
import io

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from servicekit.clock import utc_now
from servicekit.errors import Reason, Unavailable
from servicekit.s3 import object_store
from servicekit.s3.client import S3
from servicekit.s3.object_store import ObjectStore
from servicekit.s3.objects import ObjectChanged, StoredObject, TooManyBytes
from tests.integration.storage.conftest import ACCEPTED, Storage

BODY = b"the bytes that were accepted"
WRITERS = 32


async def test_an_immutable_object_keeps_its_first_content(objects: ObjectStore, key: str) -> None:
    await objects.put_immutable(ACCEPTED, key, b"first", content_type="image/png")
    first = await objects.stat(ACCEPTED, key)
    await objects.put_immutable(ACCEPTED, key, b"second", content_type="image/jpeg")
    assert await objects.stat(ACCEPTED, key) == first
    assert await objects.read(ACCEPTED, key, maximum_bytes=10) == b"first"


async def test_one_of_many_concurrent_writers_wins(objects: ObjectStore, key: str) -> None:
    seen: set[bytes] = set()

    async def write(number: int) -> None:
        content = b"%04d" % number * 10_000
        try:
            await objects.put_immutable(ACCEPTED, key, content, content_type="image/png")
        except Unavailable:
            return  # another write was in progress: the caller would retry
        found = await objects.read(ACCEPTED, key, maximum_bytes=len(content))
        assert found is not None, "the write succeeded"
        seen.add(found)

    await asyncio.gather(*map(write, range(WRITERS)))
    assert len(seen) == 1
    assert len(seen.pop()) == 40_000


async def test_a_missing_object_is_none_and_may_be_removed(objects: ObjectStore, key: str) -> None:
    assert await objects.stat(ACCEPTED, key) is None
    assert await objects.read(ACCEPTED, key, maximum_bytes=10) is None
    await objects.remove(ACCEPTED, key)


async def test_a_removed_object_may_be_written_again(objects: ObjectStore, key: str) -> None:
    for content in (b"first", b"second"):
        await objects.put_immutable(ACCEPTED, key, content, content_type="image/png")
        assert await objects.read(ACCEPTED, key, maximum_bytes=10) == content
        await objects.remove(ACCEPTED, key)
        assert await objects.stat(ACCEPTED, key) is None


async def test_reading_stops_at_the_maximum(objects: ObjectStore, key: str) -> None:
    await objects.put_immutable(ACCEPTED, key, BODY, content_type="image/png")
    with pytest.raises(TooManyBytes):
        await objects.read(ACCEPTED, key, maximum_bytes=len(BODY) - 1)
    assert await objects.read(ACCEPTED, key, maximum_bytes=len(BODY)) == BODY


@pytest.mark.parametrize(
    ("offset", "length", "expected"),
    [
        (0, 3, BODY[:3]),
        (5, 1, BODY[5:6]),
        (0, 1000, BODY),
        (len(BODY) - 2, 10, BODY[-2:]),
        (len(BODY), 10, b""),
        (len(BODY) + 10, 10, b""),
    ],
)
async def test_a_range_may_extend_beyond_the_end(
    objects: ObjectStore, key: str, offset: int, length: int, expected: bytes
) -> None:
    await objects.put_immutable(ACCEPTED, key, BODY, content_type="image/png")
    etag = await etag_of(objects, key)
    assert await objects.read_range(ACCEPTED, key, offset, length, etag=etag) == expected


async def test_ranges_of_a_changed_object_are_refused(objects: ObjectStore, key: str) -> None:
    await objects.put_immutable(ACCEPTED, key, BODY, content_type="image/png")
    etag = await etag_of(objects, key)
    await objects.remove(ACCEPTED, key)
    with pytest.raises(ObjectChanged):
        await objects.read_range(ACCEPTED, key, 0, 3, etag=etag)
    await objects.put_immutable(ACCEPTED, key, BODY.upper(), content_type="image/png")
    with pytest.raises(ObjectChanged):
        await objects.read_range(ACCEPTED, key, 0, 3, etag=etag)


@pytest.mark.parametrize(
    "name",
    [
        "ä b~+c",
        "100%",
        "a%2Fb",
        "q?x=1&y=2#h",
        "=;:@$,'\"(!)*",
        "{}|^`<>[]",
        "nai\u0308ve 🎈",
        " around ",
        "n" * 255,
        "/".join(["n" * 200] * 4),
    ],
)
async def test_unusual_keys_are_preserved(objects: ObjectStore, key: str, name: str) -> None:
    odd_key = f"{key}/{name}"
    await objects.put_immutable(ACCEPTED, odd_key, BODY, content_type="image/png")
    assert await objects.read(ACCEPTED, odd_key, maximum_bytes=100) == BODY
    await objects.remove(ACCEPTED, odd_key)
    assert await objects.stat(ACCEPTED, odd_key) is None


async def test_a_write_with_a_wrong_checksum_stores_nothing(storage: Storage, key: str) -> None:
    s3 = S3(storage.settings, threads=1, clock=utc_now)
    wrong = hashlib.sha256(b"other bytes").hexdigest()
    headers = {"Content-Type": "image/png", "Content-Length": str(len(BODY))}
    with pytest.raises(Exception, match="HTTP 400"):
        s3._put(ACCEPTED, key, io.BytesIO(BODY), wrong, headers)
    assert s3.head(ACCEPTED, key) is None
    s3.close()


@pytest.fixture
def exporter(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    """The spans of object stores."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(object_store, "_tracer", provider.get_tracer("test"))
    return exporter


def assert_is_error_span(span: ReadableSpan) -> None:
    assert span.kind is SpanKind.CLIENT
    assert span.status.status_code is StatusCode.ERROR
    attributes = dict(span.attributes or {})
    assert attributes["rpc.system"] == "aws-api"
    assert attributes["aws.s3.bucket"] == ACCEPTED
    assert attributes["aws.s3.key"] == "key"
    assert attributes["server.address"] == "127.0.0.1"


async def test_unreachable_storage_is_unavailable_and_no_secret_is_recorded(
    storage: Storage, exporter: InMemorySpanExporter, caplog: pytest.LogCaptureFixture
) -> None:
    unreachable = storage.settings.model_copy(update={"object_store_endpoint": "127.0.0.1:1"})
    async with ObjectStore(unreachable) as objects:
        for call in (
            objects.stat(ACCEPTED, "key"),
            objects.read(ACCEPTED, "key", maximum_bytes=1),
            objects.read_range(ACCEPTED, "key", 0, 1, etag="etag"),
            objects.put_immutable(ACCEPTED, "key", b"", content_type="image/png"),
            objects.promote(
                "source", "key", "etag", ACCEPTED, "key", sha256="", content_type="video/mp4"
            ),
            objects.remove(ACCEPTED, "key"),
        ):
            with pytest.raises(Unavailable) as caught:
                await call
            assert caught.value.reason is Reason.DEPENDENCY_UNAVAILABLE
    spans = exporter.get_finished_spans()
    assert [span.name for span in spans] == [
        "S3/HeadObject",
        "S3/GetObject",
        "S3/GetObject",
        "S3/PutObject",
        "S3/PutObject",
        "S3/DeleteObject",
    ]
    for span in spans:
        assert_is_error_span(span)
    assert dict(spans[4].attributes or {})["aws.s3.copy_source"] == "source/key"
    recorded = caplog.text + "".join(span.to_json() for span in spans)
    for secret in (
        unreachable.object_store_access_key.get_secret_value(),
        unreachable.object_store_secret_key.get_secret_value(),
        "Signature",
    ):
        assert secret not in recorded


async def etag_of(objects: ObjectStore, key: str) -> str:
    stored = await objects.stat(ACCEPTED, key)
    assert isinstance(stored, StoredObject)
    return stored.etag
