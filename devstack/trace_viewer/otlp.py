"""Converts OTLP messages to `model` spans; the only module that knows the wire format's fields."""

from collections.abc import Iterable, Iterator

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1 import trace_pb2

from devstack.trace_viewer.model import AttributeValue, Span, SpanEvent, SpanLink

UNNAMED_SERVICE = "unknown_service"


def spans_of(request: ExportTraceServiceRequest) -> Iterator[Span]:
    """Every well-formed span of an export, in the order sent."""
    for resource_spans in request.resource_spans:
        resource = _attributes(resource_spans.resource.attributes)
        for scope_spans in resource_spans.scope_spans:
            for wire_span in scope_spans.spans:
                # The specification makes a span without both ids invalid.
                if wire_span.trace_id and wire_span.span_id:
                    yield _span(wire_span, resource)


def _span(wire_span: trace_pb2.Span, resource: dict[str, AttributeValue]) -> Span:
    return Span(
        trace_id=wire_span.trace_id.hex(),
        span_id=wire_span.span_id.hex(),
        parent_id=wire_span.parent_span_id.hex(),
        name=wire_span.name,
        service=str(resource.get("service.name", UNNAMED_SERVICE)),
        kind=_kind(wire_span.kind),
        start_nanoseconds=wire_span.start_time_unix_nano,
        end_nanoseconds=wire_span.end_time_unix_nano,
        attributes=_attributes(wire_span.attributes),
        resource_attributes=resource,
        events=tuple(
            SpanEvent(event.name, event.time_unix_nano, _attributes(event.attributes))
            for event in wire_span.events
        ),
        links=tuple(
            SpanLink(link.trace_id.hex(), link.span_id.hex(), _attributes(link.attributes))
            for link in wire_span.links
        ),
        has_failed=wire_span.status.code == trace_pb2.Status.STATUS_CODE_ERROR,
        status_message=wire_span.status.message,
    )


def _kind(kind: int) -> str:
    """`server`, `client`, …; a number unknown to this protocol version stays a number."""
    if kind not in trace_pb2.Span.SpanKind.values():
        return str(kind)
    name = trace_pb2.Span.SpanKind.Name(trace_pb2.Span.SpanKind.ValueType(kind))
    return name.removeprefix("SPAN_KIND_").lower()


def _attributes(pairs: Iterable[KeyValue]) -> dict[str, AttributeValue]:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: AnyValue) -> AttributeValue:
    match value.WhichOneof("value"):
        case "string_value":
            return value.string_value
        case "bool_value":
            return value.bool_value
        case "int_value":
            return value.int_value
        case "double_value":
            return value.double_value
        case "array_value":
            return [_value(element) for element in value.array_value.values]
        case "kvlist_value":
            return _attributes(value.kvlist_value.values)
        case "bytes_value":
            return value.bytes_value.hex()
        case _:
            return ""
