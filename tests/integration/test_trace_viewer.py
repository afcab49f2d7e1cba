"""The trace viewer over its real ports: OTLP exported by the SDK, read back as JSON and HTML."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import grpc
import httpx
import pytest
from grpc_health.v1 import health_pb2
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Tracer, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from devstack.trace_viewer.server import TraceViewer
from devstack.trace_viewer.settings import Settings

HOSTILE = "<script>alert('x')</script>"


@pytest.fixture
async def viewer() -> AsyncIterator[TraceViewer]:
    settings = Settings(otlp_address="127.0.0.1:0", http_address="127.0.0.1:0")
    async with TraceViewer(settings) as running:
        yield running


@pytest.fixture
async def http(viewer: TraceViewer) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=f"http://{viewer.http_address}") as client:
        yield client


class Emitter:
    """One SDK tracer provider per service, all exporting to the viewer."""

    def __init__(self, address: str) -> None:
        self._exporter = OTLPSpanExporter(endpoint=f"http://{address}", insecure=True)
        self._providers: dict[str, TracerProvider] = {}

    def tracer(self, service: str) -> Tracer:
        if service not in self._providers:
            provider = TracerProvider(
                resource=Resource.create({"service.name": service}), shutdown_on_exit=False
            )
            provider.add_span_processor(SimpleSpanProcessor(self._exporter))
            self._providers[service] = provider
        tracer = self._providers[service].get_tracer("test")
        assert isinstance(tracer, Tracer)
        return tracer

    def shutdown(self) -> None:
        # Not through the providers: each would shut the shared exporter down again and warn.
        self._exporter.shutdown()


@pytest.fixture
def emitter(viewer: TraceViewer) -> Iterator[Emitter]:
    emitter = Emitter(viewer.otlp_address)
    yield emitter
    emitter.shutdown()


def submit_and_fail_to_pay(emitter: Emitter) -> tuple[str, str]:
    """Two traces, the second linked to the first; returns their ids."""
    with emitter.tracer("tasks").start_as_current_span(
        "SubmitWork", attributes={"assignment.id": "as-1", "is.late": False, "sizes": [1, 2]}
    ) as first:
        pass
    link = trace.Link(first.get_span_context())
    with (
        emitter.tracer("cli").start_as_current_span("pay", links=[link]) as second,
        emitter.tracer("payouts").start_as_current_span(
            HOSTILE, attributes={"assignment.id": "as-2", HOSTILE: HOSTILE}
        ) as child,
    ):
        child.add_event("retry", {"attempt": 1})
        child.set_status(trace.StatusCode.ERROR, "INSUFFICIENT_FUNDS")
    ids = [trace.format_trace_id(span.get_span_context().trace_id) for span in (first, second)]
    return ids[0], ids[1]


async def test_spans_exported_by_the_sdk_are_read_back_as_json(
    http: httpx.AsyncClient, emitter: Emitter
) -> None:
    first, second = await asyncio.to_thread(submit_and_fail_to_pay, emitter)

    listed = (await http.get("/api/traces")).json()["traces"]
    assert [(t["trace_id"], t["root_name"], t["error"]) for t in listed] == [
        (second, "pay", True),
        (first, "SubmitWork", False),
    ]
    assert listed[0]["services"] == {"cli": 1, "payouts": 1}

    found = (await http.get("/api/traces", params={"attribute": "assignment.id=as-1"})).json()
    assert [t["trace_id"] for t in found["traces"]] == [first]

    root, child = (await http.get(f"/api/traces/{second}")).json()["spans"]
    assert (root["parent_span_id"], child["parent_span_id"]) == (None, root["span_id"])
    assert root["links"][0]["trace_id"] == first
    assert (child["service"], child["error"]) == ("payouts", True)
    assert child["status_message"] == "INSUFFICIENT_FUNDS"
    assert child["events"][0]["attributes"] == {"attempt": 1}
    (only,) = (await http.get(f"/api/traces/{first}")).json()["spans"]
    assert only["attributes"] == {"assignment.id": "as-1", "is.late": False, "sizes": [1, 2]}


async def test_the_list_page_filters_and_refreshes(
    http: httpx.AsyncClient, emitter: Emitter
) -> None:
    first, second = await asyncio.to_thread(submit_and_fail_to_pay, emitter)
    everything = (await http.get("/")).text
    assert first in everything
    assert second in everything
    assert 'http-equiv="refresh"' not in everything
    assert 'http-equiv="refresh"' in (await http.get("/?refresh=1")).text
    failed = (await http.get("/", params={"errors": "1", "service": "cli"})).text
    assert second in failed
    assert first not in failed


async def test_the_waterfall_shows_errors_and_links_and_escapes_everything(
    http: httpx.AsyncClient, emitter: Emitter
) -> None:
    first, second = await asyncio.to_thread(submit_and_fail_to_pay, emitter)
    page = await http.get(f"/traces/{second}")
    assert "INSUFFICIENT_FUNDS" in page.text
    assert f'href="/traces/{first}' in page.text
    assert "alert" in page.text
    assert "<script" not in page.text
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert "<script" not in (await http.get("/", params={"text": HOSTILE})).text


async def test_an_empty_list_unknown_traces_and_invalid_filters(http: httpx.AsyncClient) -> None:
    assert "No spans have arrived yet" in (await http.get("/")).text
    for path in ("/traces/abc", "/api/traces/abc"):
        assert (await http.get(path)).status_code == 404
    for path in ("/?min_duration_ms=x", "/api/traces?min_duration_ms=x"):
        response = await http.get(path)
        assert response.status_code == 400
        assert "min_duration_ms must be a number" in response.text


async def test_both_ports_report_health(viewer: TraceViewer, http: httpx.AsyncClient) -> None:
    assert (await http.get("/healthz")).json() == {"status": "ok", "traces": 0, "spans": 0}
    async with grpc.aio.insecure_channel(viewer.otlp_address) as channel:
        check = channel.unary_unary(
            "/grpc.health.v1.Health/Check",
            request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
            response_deserializer=health_pb2.HealthCheckResponse.FromString,
        )
        response = await check(health_pb2.HealthCheckRequest(service=""))
    assert response.status == health_pb2.HealthCheckResponse.SERVING


async def test_a_port_in_use_is_an_error_and_releases_everything(viewer: TraceViewer) -> None:
    settings = Settings(otlp_address="127.0.0.1:0", http_address=viewer.http_address)
    with pytest.raises(OSError, match="in use"):
        await TraceViewer(settings).__aenter__()
