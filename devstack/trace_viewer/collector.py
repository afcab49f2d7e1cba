"""The OTLP/gRPC side: stores exported spans and serves the standard health service."""

from typing import Any

import grpc
from grpc_health.v1 import (  # type: ignore[import-untyped, unused-ignore]  # stubs are optional
    health,
    health_pb2,
    health_pb2_grpc,
)
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as messages
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as stubs

from devstack.trace_viewer import otlp
from devstack.trace_viewer.store import TraceStore

# Exporters batch by span count; long stack traces in events can pass gRPC's default of 4 MB.
_MAX_MESSAGE_BYTES = 32 * 1024 * 1024


class TraceCollector(stubs.TraceServiceServicer):
    """Accepts every export: in development, losing a span is worse than receiving it late."""

    def __init__(self, store: TraceStore) -> None:
        self._store = store

    async def Export(  # noqa: N802  the method's name is the protocol's
        self,
        request: messages.ExportTraceServiceRequest,
        context: "grpc.aio.ServicerContext[Any, Any]",
    ) -> messages.ExportTraceServiceResponse:
        self._store.add(otlp.spans_of(request))
        return messages.ExportTraceServiceResponse()


async def start(store: TraceStore, address: str) -> tuple[grpc.aio.Server, int]:
    """A started server and the port it listens on."""
    server = grpc.aio.server(
        options=[
            ("grpc.max_receive_message_length", _MAX_MESSAGE_BYTES),
            ("grpc.so_reuseport", 0),  # a second viewer on this port must fail, not share it
        ]
    )
    stubs.add_TraceServiceServicer_to_server(  # type: ignore[no-untyped-call]  # generated, untyped
        TraceCollector(store), server
    )
    checks = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(checks, server)
    for name in ("", "opentelemetry.proto.collector.trace.v1.TraceService"):
        await checks.set(name, health_pb2.HealthCheckResponse.SERVING)
    port = server.add_insecure_port(address)
    await server.start()
    return server, port
