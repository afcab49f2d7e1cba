"""Measures every call, a stream from its opening to its end, and ties its span to the resources
that it names."""

import asyncio
import time
from collections.abc import Iterator

import grpc
from google.protobuf.message import Message
from opentelemetry import metrics, trace

from servicekit.interceptors.base import Context, Interceptor, Proceed
from servicekit.rpcs import Rpc

# OpenTelemetry's semantic conventions for RPC metrics.
_DURATION = metrics.get_meter(__name__).create_histogram(
    "rpc.server.call.duration", unit="s", description="Duration of calls served"
)
# Collection -> span attribute, by which a trace is found from an id.
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


class TelemetryInterceptor(Interceptor):
    async def around(
        self, rpc: Rpc, request: Message, context: Context, proceed: Proceed
    ) -> Message:
        span = trace.get_current_span()
        for attribute, value in resource_attributes(request):
            span.set_attribute(attribute, value)
        started = time.perf_counter()
        code: object = None
        try:
            return await proceed()
        except asyncio.CancelledError:
            code = grpc.StatusCode.CANCELLED  # the caller has left: gRPC notes no code for it
            raise
        finally:
            code = code or context.code()
            _DURATION.record(
                time.perf_counter() - started,
                {
                    "rpc.method": rpc.path.removeprefix("/"),
                    "rpc.response.status_code": code.name if hasattr(code, "name") else "OK",
                },
            )


def resource_attributes(request: Message) -> Iterator[tuple[str, str]]:
    """`task.id` and the like, for the resources that a request names, one message deep."""
    for field, value in request.ListFields():
        if field.name not in _FIELDS:
            continue
        if isinstance(value, str):
            collection, _, rest = value.partition("/")
            if collection in _ATTRIBUTES and rest:
                yield _ATTRIBUTES[collection], rest.partition("/")[0]
        elif isinstance(value, Message):
            yield from resource_attributes(value)
