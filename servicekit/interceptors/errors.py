"""Turns our errors into google.rpc.Status, and everything else into INTERNAL with a trace id."""

import asyncio
from typing import Never

import grpc
import structlog
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo
from google.rpc.status_pb2 import Status
from opentelemetry import trace

from servicekit.errors import Internal, LiaisonError, Reason
from servicekit.interceptors.base import Context, Interceptor, Proceed
from servicekit.rpcs import Rpc

DOMAIN = "liaison"
# Where gRPC carries a google.rpc.Status (https://grpc.io/docs/guides/error/).
DETAILS_KEY = "grpc-status-details-bin"

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
            error.message,
            ((DETAILS_KEY, status.SerializeToString()),),
        )
    except grpc.aio.InternalError as failure:
        # The caller has left, or was cut off: there is nobody to tell.
        raise asyncio.CancelledError from failure
    raise AssertionError("abort returned")


def to_status(error: LiaisonError) -> Status:
    details: list[Message] = [
        ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=error.metadata)
    ]
    if error.violations:
        details.append(
            BadRequest(
                field_violations=[
                    BadRequest.FieldViolation(
                        field=violation.field,
                        description=violation.description,
                        reason=violation.rule,
                    )
                    for violation in error.violations
                ]
            )
        )
    packed = []
    for detail in details:
        packed.append(AnyMessage())
        packed[-1].Pack(detail)
    return Status(code=grpc.StatusCode[error.code].value[0], message=error.message, details=packed)
