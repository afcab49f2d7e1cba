"""Traces, metrics and logs of a process.

Traces are exported to OTEL_EXPORTER_OTLP_ENDPOINT if it is set, metrics are served at /metrics, and
logs are JSON lines on standard error with the trace id.
"""

import logging
import os
import sys
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

import structlog
from opentelemetry import metrics, trace
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, Sampler
from opentelemetry.util.types import AttributeValue
from prometheus_client import start_http_server

from servicekit.settings import Settings

# Creates the SDK's TracerProvider, or one that wraps it.
ProviderFactory = Callable[[Resource], Any]


def sampler() -> Sampler | None:
    """None stands for OTEL_TRACES_SAMPLER, by default all traces. Without a collector nothing is
    recorded, but trace ids still appear in logs and errors."""
    return None if _has_collector() else ALWAYS_OFF


def _provider(resource: Resource) -> TracerProvider:
    return TracerProvider(sampler(), resource)


def _has_collector() -> bool:
    return bool(os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"))


@contextmanager
def telemetry(settings: Settings, create_provider: ProviderFactory = _provider) -> Iterator[None]:
    """Runs telemetry while the block runs, and flushes it at the end.

    A process that runs workflows passes a provider whose spans survive replay.
    """
    _configure_logging(settings.log_level)
    attributes: dict[str, AttributeValue] = {"service.name": settings.otel_service_name}
    resource = Resource.create(attributes)
    provider = create_provider(resource)
    if _has_collector():
        provider.add_span_processor(_SpanProcessor(OTLPSpanExporter(), schedule_delay_millis=500))
    trace.set_tracer_provider(provider)
    meters = MeterProvider(resource=resource, metric_readers=[PrometheusMetricReader()])
    metrics.set_meter_provider(meters)
    HTTPXClientInstrumentor().instrument()
    if settings.metrics_address is not None:
        host, _, port = settings.metrics_address.rpartition(":")
        start_http_server(int(port), addr=host)
    try:
        yield
    finally:
        provider.shutdown()
        meters.shutdown()


class _SpanProcessor(BatchSpanProcessor):
    """Does not export the spans of whole workflows, which last for months and would stretch the
    trace that started them."""

    def on_end(self, span: ReadableSpan) -> None:
        if not span.name.startswith("RunWorkflow:"):
            super().on_end(span)


def _add_trace(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        event["trace_id"] = f"{context.trace_id:032x}"
        event["span_id"] = f"{context.span_id:016x}"
    return event


def _configure_logging(level: str) -> None:
    """Configures structlog and the standard library's loggers for one JSON format."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_trace,
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    # Its line for each request repeats what the trace has.
    logging.getLogger("httpx").setLevel(logging.WARNING)
