"""Turns our errors into google.rpc.Status, and everything else into INTERNAL with a trace id."""

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
# An error is told in metadata, of which a peer takes 8 KiB in all unless it was told otherwise
# (grpc.max_metadata_size): the details, which grow by a third on the way (base64), and the message,
# whose characters beyond ASCII grow threefold. Of a larger one not even the reason would arrive.
_MAXIMUM_DETAILS_BYTES = 4096
_MAXIMUM_MESSAGE_BYTES = 512
# What packing a BadRequest among the details takes.
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
        # The caller has left, or was cut off: there is nobody to tell.
        raise asyncio.CancelledError from failure
    raise AssertionError("abort returned")


def to_status(error: LiaisonError) -> Status:
    """As many violations as an answer holds; where it does not hold all, the metadata
    `violations_left_out` counts the others."""
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
