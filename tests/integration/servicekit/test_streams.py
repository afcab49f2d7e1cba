"""Server streams through every interceptor, from a real server to a real channel."""

import asyncio
import logging
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind
from structlog.testing import capture_logs

from servicekit.errors import FailedPrecondition, Internal, Reason, Unauthenticated, Unavailable
from servicekit.rpc.client import _StreamCaller
from servicekit.rpc.interceptors import telemetry
from tests.integration.servicekit.harness import Harness, eventually, watch
from tests.support.serving import refused

# Together more than a channel buffers before they are read.
_LONG = ["x" * 100_000] * 20


@pytest.fixture
def quiet(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Checks that neither our code nor a library logs a warning or an error."""
    with capture_logs() as ours, caplog.at_level(logging.WARNING):
        yield
    assert [record.getMessage() for record in caplog.records] == []
    assert [entry for entry in ours if entry["log_level"] in ("warning", "error")] == []


async def _read(call: Any, count: int) -> list[tuple[int, str]]:
    entries = aiter(call)
    async with asyncio.timeout(20):
        read = [await anext(entries) for _ in range(count)]
    return [(entry.sequence, entry.text) for entry in read]


def _narrow_channel(harness: Harness, token: str) -> grpc.aio.Channel:
    """A channel with a small receive buffer."""
    return grpc.aio.insecure_channel(
        harness.served.address,
        [("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", 65_536)],
        interceptors=[_StreamCaller(lambda: token)],
    )


async def _unsubscribed(harness: Harness, name: str) -> None:
    """Returns when the topic has no subscriber."""
    await eventually(lambda: harness.changes.subscriber_count(name) == 0)


async def _subscribed(harness: Harness, name: str, count: int = 1) -> None:
    await eventually(lambda: harness.changes.subscriber_count(name) == count)


async def test_earlier_and_new_entries_arrive_in_order(harness: Harness) -> None:
    await harness.journals.write("a", *(f"{number}" for number in range(1, 26)))
    call = watch(harness.served.as_brand("acme"), "a")
    assert await _read(call, 25) == [(number, f"{number}") for number in range(1, 26)]
    await harness.journals.write("b", "of another")
    for number in range(26, 31):
        await harness.journals.write("a", f"{number}")
        assert await _read(call, 1) == [(number, f"{number}")]


async def test_a_stream_resumes_after_a_sequence_number(harness: Harness) -> None:
    await harness.journals.write("a", "one", "two", "three", "end")
    call = watch(harness.served.as_brand("acme"), "a", after=1)
    assert [entry.sequence async for entry in call] == [2, 3]


async def test_an_error_in_the_middle_keeps_its_reason(harness: Harness) -> None:
    await harness.journals.write("a", "one", "refuse")
    call = watch(harness.served.as_brand("acme"), "a")
    assert await _read(call, 1) == [(1, "one")]
    with pytest.raises(FailedPrecondition) as raised:
        await _read(call, 1)
    assert raised.value.reason is Reason.ILLEGAL_STATE
    assert raised.value.metadata == {"state": "CLOSED", "command": "WatchJournal"}
    await _unsubscribed(harness, "a")


async def test_a_crash_in_the_middle_discloses_only_a_trace_id(harness: Harness) -> None:
    await harness.journals.write("a", "one", "crash")
    call = watch(harness.served.as_brand("acme"), "a")
    assert await _read(call, 1) == [(1, "one")]
    with pytest.raises(Internal) as raised:
        await _read(call, 1)
    assert "secret" not in raised.value.message
    assert set(raised.value.metadata) == {"trace_id"}


async def test_a_caller_without_access_receives_nothing(harness: Harness) -> None:
    await harness.journals.write("a", "one")
    with refused(Reason.ROLE_NOT_ALLOWED):
        await _read(watch(harness.served.as_creator("bea"), "a"), 1)
    with refused(Reason.CREDENTIALS_INVALID):
        await _read(watch(harness.served.with_token("forged"), "a"), 1)


async def test_a_malformed_request_is_rejected_before_the_method_runs(harness: Harness) -> None:
    with refused(Reason.INVALID_FIELDS, "name"):
        await _read(watch(harness.served.as_brand("acme"), ""), 1)


@pytest.mark.parametrize("is_read", [True, False], ids=["idle", "stuck"])
async def test_a_stream_ends_when_its_token_expires(
    harness: Harness, quiet: None, is_read: bool
) -> None:
    await harness.journals.write("a", *_LONG[: 1 if is_read else 20])
    token = harness.access.token("brand", brand="acme", ttl_seconds=2)
    async with _narrow_channel(harness, token) as channel:
        call = watch(channel, "a")
        await _read(call, 1)
        await _unsubscribed(harness, "a")
        with pytest.raises(Unauthenticated) as raised:
            await _read(call, 19)
    assert raised.value.reason is Reason.CREDENTIALS_INVALID


@pytest.mark.parametrize("is_read", [True, False], ids=["idle", "stuck"])
async def test_a_cancelled_call_is_unsubscribed_at_once(
    harness: Harness, quiet: None, is_read: bool
) -> None:
    await harness.journals.write("a", *_LONG[: 1 if is_read else 20])
    async with _narrow_channel(harness, harness.access.token("brand", brand="acme")) as channel:
        call = watch(channel, "a")
        await _read(call, 1)
        assert harness.changes.subscriber_count("a") == 1
        assert call.cancel()
        await _unsubscribed(harness, "a")


async def test_a_closed_connection_is_unsubscribed_at_once(harness: Harness, quiet: None) -> None:
    channel = harness.served.as_brand("acme")
    calls = [watch(channel, "a") for _ in range(50)]
    reading = [asyncio.ensure_future(_read(call, 1)) for call in calls]
    await _subscribed(harness, "a", 50)
    await channel.close()
    # A write during the disconnection must not fail.
    await harness.journals.write("a", "one")
    await _unsubscribed(harness, "a")
    await asyncio.gather(*reading, return_exceptions=True)


async def test_a_shutdown_ends_streams_as_unavailable_without_waiting(
    harness: Harness, quiet: None
) -> None:
    await harness.journals.write("a", "one")
    calls = [watch(harness.served.as_brand("acme"), "a") for _ in range(20)]
    for call in calls:
        await _read(call, 1)
    async with asyncio.timeout(10):
        await harness.server.stop()
    assert harness.changes.subscriber_count("a") == 0
    for call in calls:
        with pytest.raises(Unavailable) as raised:
            await _read(call, 1)
        assert raised.value.reason is Reason.DEPENDENCY_UNAVAILABLE
        assert raised.value.is_retryable


async def test_a_shutdown_cancels_a_stream_whose_caller_does_not_read(
    harness: Harness, quiet: None
) -> None:
    await harness.journals.write("a", *_LONG)
    await harness.server.stop()
    server = harness.another_server(drain_seconds=0.5)
    await server.start()
    async with _narrow_channel(harness, harness.access.token("brand", brand="acme")) as channel:
        call = watch(channel, "a")
        await _read(call, 1)
        async with asyncio.timeout(10):
            await server.stop()
        assert harness.changes.subscriber_count("a") == 0
        with pytest.raises(Unavailable):
            await _read(call, 19)


async def test_a_stream_without_messages_is_retried_at_the_next_server(
    harness: Harness, quiet: None
) -> None:
    call = watch(harness.served.as_brand("acme"), "a")
    reading = asyncio.ensure_future(_read(call, 1))
    await _subscribed(harness, "a")
    await harness.server.stop()
    next_server = harness.another_server()
    await next_server.start()
    try:
        await harness.journals.write("a", "one")
        assert await reading == [(1, "one")]
    finally:
        await next_server.stop()


async def test_a_watcher_neither_loses_nor_repeats_entries_over_restarts(harness: Harness) -> None:
    channel = harness.served.as_brand("acme")
    seen: list[int] = []

    async def follow_on() -> None:
        while len(seen) < 90:
            try:
                async for entry in watch(channel, "a", after=seen[-1] if seen else 0):
                    seen.append(entry.sequence)
                    if len(seen) == 90:
                        return
            except Unavailable:
                continue

    following = asyncio.ensure_future(follow_on())
    server = harness.server
    for _ in range(3):
        for _ in range(30):
            await harness.journals.write("a", "line")
        await server.stop()
        server = harness.another_server()
        await server.start()
    try:
        async with asyncio.timeout(20):
            await following
    finally:
        await server.stop()
    assert seen == list(range(1, 91))


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr("opentelemetry.trace._TRACER_PROVIDER", provider)
    return exporter


@pytest.fixture
def durations(monkeypatch: pytest.MonkeyPatch) -> InMemoryMetricReader:
    reader = InMemoryMetricReader()
    histogram = MeterProvider(metric_readers=[reader]).get_meter("test").create_histogram("calls")
    monkeypatch.setattr(telemetry, "_DURATION", histogram)
    return reader


async def test_a_stream_is_measured_to_its_end_with_its_status_code(
    spans: InMemorySpanExporter, durations: InMemoryMetricReader, harness: Harness, quiet: None
) -> None:
    await harness.journals.write("a", "one", "end")
    await harness.journals.write("b", "one", "refuse")
    channel = harness.served.as_brand("acme")
    assert [entry.text async for entry in watch(channel, "a")] == ["one"]
    with refused(Reason.ILLEGAL_STATE):
        await _read(watch(channel, "b"), 2)
    call = watch(channel, "c")
    reading = asyncio.ensure_future(_read(call, 1))
    await _subscribed(harness, "c")
    call.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    await _unsubscribed(harness, "c")
    assert _codes(durations) == {"OK": 1, "FAILED_PRECONDITION": 1, "CANCELLED": 1}
    ended = [
        (span.kind, (span.attributes or {}).get("rpc.grpc.status_code"))
        for span in spans.get_finished_spans()
    ]
    refusal = grpc.StatusCode.FAILED_PRECONDITION.value[0]
    for kind in (SpanKind.CLIENT, SpanKind.SERVER):
        assert [code for found, code in ended if found is kind].count(refusal) == 1
        assert len([code for found, code in ended if found is kind]) == 3


async def test_the_span_of_a_failed_call_is_ended(
    spans: InMemorySpanExporter, harness: Harness
) -> None:
    unknown = harness.served.as_brand("acme").unary_unary(
        "/liaison.testing.v1.JournalService/Missing"
    )
    with pytest.raises(Internal, match="UNIMPLEMENTED"):
        await unknown(b"")
    (span,) = (span for span in spans.get_finished_spans() if span.kind is SpanKind.CLIENT)
    assert (span.attributes or {})["rpc.grpc.status_code"] == 12


def _codes(reader: InMemoryMetricReader) -> dict[str, int]:
    data = reader.get_metrics_data()
    assert data is not None
    points = data.resource_metrics[0].scope_metrics[0].metrics[0].data.data_points
    return {point.attributes["rpc.response.status_code"]: point.count for point in points}
