"""The JSON API: the same traces as the pages, for tests, the demo and scripts."""

from typing import Any

from aiohttp import web

from devstack.trace_viewer.filters import InvalidFilterError, TraceFilter
from devstack.trace_viewer.model import NANOSECONDS_PER_MICROSECOND, Span, Trace
from devstack.trace_viewer.store import TraceStore

STORE = web.AppKey("store", TraceStore)

routes = web.RouteTableDef()


@routes.get("/healthz")
async def healthz(request: web.Request) -> web.Response:
    store = request.app[STORE]
    return web.json_response(
        {"status": "ok", "traces": store.trace_count, "spans": store.span_count}
    )


@routes.get("/api/traces")
async def list_traces(request: web.Request) -> web.Response:
    """Newest first; the parameters are those of the list page."""
    try:
        wanted = TraceFilter.from_query(request.query)
    except InvalidFilterError as error:
        return web.json_response({"error": str(error)}, status=400)
    found = matching(request.app[STORE], wanted)
    return web.json_response({"traces": [_summary(trace) for trace in found]})


@routes.get("/api/traces/{trace_id}")
async def get_trace(request: web.Request) -> web.Response:
    trace = request.app[STORE].get(request.match_info["trace_id"].lower())
    if trace is None:
        return web.json_response({"error": "no such trace"}, status=404)
    spans = sorted(trace.spans, key=lambda span: span.start_nanoseconds)
    return web.json_response({**_summary(trace), "spans": [_span(span) for span in spans]})


def matching(store: TraceStore, wanted: TraceFilter) -> list[Trace]:
    found: list[Trace] = []
    for trace in store.newest_first():
        if len(found) == wanted.limit:
            break
        if wanted.accepts(trace):
            found.append(trace)
    return found


def _summary(trace: Trace) -> dict[str, Any]:
    return {
        "trace_id": trace.trace_id,
        "root_name": trace.root.name,
        "root_service": trace.root.service,
        "start_unix_us": trace.start_nanoseconds // NANOSECONDS_PER_MICROSECOND,
        "duration_us": trace.duration_nanoseconds // NANOSECONDS_PER_MICROSECOND,
        "span_count": len(trace.spans),
        "discarded_span_count": trace.discarded_spans,
        "services": trace.spans_by_service,
        "error": bool(trace.failed_spans),
    }


def _span(span: Span) -> dict[str, Any]:
    return {
        "span_id": span.span_id,
        "parent_span_id": span.parent_id or None,
        "service": span.service,
        "name": span.name,
        "kind": span.kind,
        "start_unix_us": span.start_nanoseconds // NANOSECONDS_PER_MICROSECOND,
        "duration_us": span.duration_nanoseconds // NANOSECONDS_PER_MICROSECOND,
        "attributes": span.attributes,
        "resource_attributes": span.resource_attributes,
        "events": [
            {
                "name": event.name,
                "time_unix_us": event.time_nanoseconds // NANOSECONDS_PER_MICROSECOND,
                "attributes": event.attributes,
            }
            for event in span.events
        ],
        "links": [
            {"trace_id": link.trace_id, "span_id": link.span_id, "attributes": link.attributes}
            for link in span.links
        ],
        "error": span.has_failed,
        "status_message": span.status_message,
    }
