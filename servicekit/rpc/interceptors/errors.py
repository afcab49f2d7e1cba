"""Converts LiaisonError to google.rpc.Status, and any other exception to INTERNAL with a trace
id."""

import asyncio
from collections.abc import Mapping
from typing import Never

import grpc
import structlog
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo
from google.rpc.status_pb2 import Status
from opentelemetry import trace

from servicekit.errors import Internal, LiaisonError, Reason
from servicekit.rpc.access import Rpc
from servicekit.rpc.interceptors.interceptor import Context, Interceptor, Proceed

DOMAIN = "liaison"
# Where gRPC carries a google.rpc.Status (https://grpc.io/docs/guides/error/).
DETAILS_KEY = "grpc-status-details-bin"
# Errors are sent as metadata, which a peer limits to 8 KiB by default (grpc.max_metadata_size): the
# details, which base64 makes a third larger, and the message, whose non-ASCII characters take three
# times their size. Of a larger error not even the reason would arrive.
_MAXIMUM_DETAILS_BYTES = 4096
_MAXIMUM_MESSAGE_BYTES = 512
# The overhead of packing a BadRequest into the details.
_ENVELOPE_BYTES = 64

log = structlog.get_logger()


class ErrorsInterceptor(Interceptor):
    async def around(
        self, rpc: Rpc, request: Message, context: Context, proceed: Proceed
    ) -> Message:
        try:
            return await proceed()
        except LiaisonError as error:
            await _abort(context, error)
        except Exception as error:
            trace_id = f"{trace.get_current_span().get_span_context().trace_id:032x}"
            trace.get_current_span().record_exception(error)
            log.exception("call_failed", rpc=rpc.path)
            await _abort(
                context,
                Internal(
                    Reason.INTERNAL,
                    "Something went wrong on our side",
                    metadata={"trace_id": trace_id},
                ),
            )


async def _abort(context: Context, error: LiaisonError) -> Never:
    status = to_status(error)
    try:
        await context.abort(
            grpc.StatusCode[error.code],
            status.message,
            ((DETAILS_KEY, status.SerializeToString()),),
        )
    except grpc.aio.InternalError as failure:
        # The caller has disconnected.
        raise asyncio.CancelledError from failure
    raise AssertionError("abort returned")


def to_status(error: LiaisonError) -> Status:
    """Converts an error. If not all of its violations fit, the metadata `violations_left_out`
    counts those that were dropped."""
    all_violations = BadRequest(
        field_violations=[
            BadRequest.FieldViolation(
                field=violation.field, description=violation.description, reason=violation.rule
            )
            for violation in error.violations
        ]
    )
    status = _status(error, error.metadata, all_violations)
    if status.ByteSize() <= _MAXIMUM_DETAILS_BYTES:
        return status
    count = len(error.violations)
    bare = _status(error, {**error.metadata, "violations_left_out": str(count)}, BadRequest())
    left_bytes = _MAXIMUM_DETAILS_BYTES - bare.ByteSize() - _ENVELOPE_BYTES
    kept = BadRequest()
    for violation in all_violations.field_violations:
        kept.field_violations.append(violation)
        if kept.ByteSize() > left_bytes:
            del kept.field_violations[-1]
            break
    left_out = count - len(kept.field_violations)
    return _status(error, {**error.metadata, "violations_left_out": str(left_out)}, kept)


def _status(error: LiaisonError, metadata: Mapping[str, str], bad_request: BadRequest) -> Status:
    info = ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=metadata)
    return Status(
        code=grpc.StatusCode[error.code].value[0],
        message=_shortened(error.message),
        details=map(_packed, [info, bad_request] if bad_request.field_violations else [info]),
    )


def _packed(detail: Message) -> AnyMessage:
    packed = AnyMessage()
    packed.Pack(detail)
    return packed


def _shortened(message: str) -> str:
    if len(message.encode()) <= _MAXIMUM_MESSAGE_BYTES:
        return message
    return message.encode()[: _MAXIMUM_MESSAGE_BYTES - 3].decode(errors="ignore") + "…"
