"""Records a metric and a span for every call, with the ids of the resources that the request
names. A stream is measured from its start to its end."""

import asyncio
import time
from collections.abc import Iterator

import grpc
from google.protobuf.message import Message
from opentelemetry import metrics, propagate, trace
from opentelemetry.context import Context as TraceContext
from opentelemetry.context import attach, detach

from servicekit.rpc.access import Rpc
from servicekit.rpc.interceptors.interceptor import Context, Interceptor, Proceed

# OpenTelemetry's semantic conventions for RPC metrics.
_DURATION = metrics.get_meter(__name__).create_histogram(
    "rpc.server.call.duration", unit="s", description="Duration of calls served"
)
# Collection -> span attribute, so that traces can be searched by resource id.
_ATTRIBUTES = {
    "tasks": "task.id",
    "assignments": "assignment.id",
    "payouts": "payout.id",
    "disputes": "dispute.id",
    "creators": "creator.id",
    "mediaObjects": "media_object.id",
    "uploads": "media_object.id",
}
_FIELDS = ("name", "parent", "task", "assignment", "dispute", "snapshot")
_TRACER = trace.get_tracer(__name__)
# Status codes that are, or may be, the server's fault.
_FAILURES = frozenset(
    "UNKNOWN DEADLINE_EXCEEDED UNIMPLEMENTED INTERNAL UNAVAILABLE DATA_LOSS".split()
)


class TelemetryInterceptor(Interceptor):
    """Creates the server spans itself: OpenTelemetry's own instrumentation does its work even for a
    trace that is not recorded."""

    async def around(
        self, rpc: Rpc, request: Message, context: Context, proceed: Proceed
    ) -> Message:
        parent = _caller_context(context)
        span = _TRACER.start_span(rpc.path, parent, trace.SpanKind.SERVER)
        if span.is_recording():
            span.set_attributes(_attributes(rpc, request))
        token = attach(trace.set_span_in_context(span, parent))
        started = time.perf_counter()
        code: object = None
        try:
            return await proceed()
        except asyncio.CancelledError:
            code = grpc.StatusCode.CANCELLED  # the caller disconnected; gRPC sets no code
            raise
        finally:
            code = code or context.code()
            name = code.name if isinstance(code, grpc.StatusCode) else "OK"
            _DURATION.record(
                time.perf_counter() - started,
                {"rpc.method": rpc.path.removeprefix("/"), "rpc.response.status_code": name},
            )
            if span.is_recording():
                _set_status(span, name)
            span.end()
            detach(token)


def _caller_context(context: Context) -> TraceContext:
    """The trace context that the caller sent."""
    metadata = dict(context.invocation_metadata() or ())
    return propagate.extract(metadata) if "traceparent" in metadata else TraceContext()


def _attributes(rpc: Rpc, request: Message) -> dict[str, str]:
    service, _, method = rpc.path.removeprefix("/").partition("/")
    named = dict(resource_attributes(request))
    return {"rpc.system": "grpc", "rpc.service": service, "rpc.method": method, **named}


def _set_status(span: trace.Span, code: str) -> None:
    span.set_attribute("rpc.grpc.status_code", grpc.StatusCode[code].value[0])
    if code in _FAILURES:
        span.set_status(trace.Status(trace.StatusCode.ERROR, code))


def resource_attributes(request: Message) -> Iterator[tuple[str, str]]:
    """Yields attributes such as `task.id` for the resources that a request names, in nested
    messages, too."""
    for field, value in request.ListFields():
        if field.name not in _FIELDS:
            continue
        if isinstance(value, str):
            collection, _, rest = value.partition("/")
            if collection in _ATTRIBUTES and rest:
                yield _ATTRIBUTES[collection], rest.partition("/")[0]
        elif isinstance(value, Message):
            yield from resource_attributes(value)
