"""Channels to the platform's services: credentials, deadlines, retries, and typed errors.

Every method is safe to retry (mutations carry a `request_id`), so a channel waits for a server that
restarts, and retries when a connection breaks.
"""

import json
from collections.abc import AsyncIterable, AsyncIterator, Callable
from pathlib import Path
from typing import Any

import grpc
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo
from google.rpc.status_pb2 import Status
from opentelemetry.instrumentation.grpc import aio_client_interceptors

from servicekit.errors import (
    BY_CODE,
    Internal,
    LiaisonError,
    Reason,
    Unavailable,
    Violation,
)
from servicekit.settings import ClientSettings

_DETAILS_KEY = "grpc-status-details-bin"

TIMEOUT_SECONDS = 15.0


def token_from(file: Path) -> Callable[[], str]:
    """Returns a function that reads the token, again whenever the file has changed: tokens are
    rotated in place."""
    cached: list[Any] = [None, ""]

    def read() -> str:
        stamp = file.stat().st_mtime_ns
        if cached[0] != stamp:
            cached[:] = [stamp, file.read_text().strip()]
        return str(cached[1])

    return read


def open_channel(
    address: str,
    token: Callable[[], str],
    *,
    credentials: grpc.ChannelCredentials | None = None,
    timeout_seconds: float = TIMEOUT_SECONDS,
) -> grpc.aio.Channel:
    """A channel whose calls raise LiaisonError and end within `timeout_seconds`, retries included.

    A stream has only the deadline that the caller sets. It raises LiaisonError when it breaks; one
    that breaks before its first message is retried like any other call.
    """
    method_config = {
        "name": [{}],
        "waitForReady": True,
        "retryPolicy": {
            "maxAttempts": 5,
            "initialBackoff": "0.2s",
            "maxBackoff": "3s",
            "backoffMultiplier": 2,
            "retryableStatusCodes": ["UNAVAILABLE"],
        },
    }
    options = [
        ("grpc.service_config", json.dumps({"methodConfig": [method_config]})),
        ("grpc.initial_reconnect_backoff_ms", 200),
        ("grpc.max_reconnect_backoff_ms", 2000),
        # The longest article that the media service accepts, with the data of its products.
        ("grpc.max_receive_message_length", 20 * 1024 * 1024),
        # Detects a dead server behind an idle stream.
        ("grpc.keepalive_time_ms", 60_000),
    ]
    interceptors = [
        _UnaryCaller(token, timeout_seconds),
        _StreamCaller(token),
        # Inside ours: it ends a span only if the call raises gRPC's own error type.
        *aio_client_interceptors(),
    ]
    if credentials is None:
        return grpc.aio.insecure_channel(address, options, interceptors=interceptors)
    return grpc.aio.secure_channel(address, credentials, options, interceptors=interceptors)


def service_channel(
    settings: ClientSettings, address: str, *, timeout_seconds: float = TIMEOUT_SECONDS
) -> grpc.aio.Channel:
    """A channel from one process to another, with the role `service`."""
    return open_channel(
        address,
        token_from(settings.service_token_file),
        credentials=_credentials(settings),
        timeout_seconds=timeout_seconds,
    )


def _credentials(settings: ClientSettings) -> grpc.ChannelCredentials | None:
    if settings.tls_ca_file is None:
        return None
    certificate = settings.tls_client_certificate_file
    private_key = settings.tls_client_private_key_file
    return grpc.ssl_channel_credentials(
        settings.tls_ca_file.read_bytes(),
        private_key.read_bytes() if private_key else None,
        certificate.read_bytes() if certificate else None,
    )


class _UnaryCaller(grpc.aio.UnaryUnaryClientInterceptor):
    def __init__(self, token: Callable[[], str], timeout_seconds: float) -> None:
        self._token = token
        self._timeout_seconds = timeout_seconds

    async def intercept_unary_unary(
        self, continuation: Any, client_call_details: Any, request: Any
    ) -> Any:
        requested = client_call_details.timeout
        timeout_seconds = self._timeout_seconds if requested is None else requested
        details = _with_token(
            client_call_details, self._token(), min(timeout_seconds, self._timeout_seconds)
        )
        call = await continuation(details, request)
        try:
            return await call
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error) from error


class _StreamCaller(grpc.aio.UnaryStreamClientInterceptor):
    def __init__(self, token: Callable[[], str]) -> None:
        self._token = token

    async def intercept_unary_stream(
        self, continuation: Any, client_call_details: Any, request: Any
    ) -> Any:
        details = _with_token(client_call_details, self._token(), client_call_details.timeout)
        return _messages(await continuation(details, request))


async def _messages(call: AsyncIterable[Any]) -> AsyncIterator[Any]:
    try:
        async for message in call:
            yield message
    except grpc.aio.AioRpcError as error:
        raise from_rpc_error(error) from error


def _with_token(
    details: grpc.aio.ClientCallDetails, token: str, timeout_seconds: float | None
) -> grpc.aio.ClientCallDetails:
    metadata = grpc.aio.Metadata(*(details.metadata or ()))
    metadata["authorization"] = f"Bearer {token}"
    return grpc.aio.ClientCallDetails(
        details.method, timeout_seconds, metadata, details.credentials, details.wait_for_ready
    )


def from_rpc_error(error: grpc.aio.AioRpcError) -> LiaisonError:
    """The error that the server raised. An error that did not come from one of our servers is
    UNAVAILABLE when the outcome is unknown, else INTERNAL."""
    for key, value in error.trailing_metadata() or ():
        if key == _DETAILS_KEY:
            return _from_status(Status.FromString(value), error.code().name)
    if error.code() is grpc.StatusCode.UNAVAILABLE:
        return Unavailable(Reason.DEPENDENCY_UNAVAILABLE, "A service does not answer")
    if error.code() in (grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED):
        return Unavailable(Reason.OUTCOME_UNKNOWN, "A service did not answer in time")
    return Internal(Reason.INTERNAL, f"{error.code().name}: {error.details()}")


def _from_status(status: Status, code: str) -> LiaisonError:
    reason, metadata, violations = Reason.INTERNAL, {}, []
    for detail in status.details:
        info, bad_request = ErrorInfo(), BadRequest()
        if detail.Unpack(info):
            reason, metadata = Reason(info.reason), dict(info.metadata)
        elif detail.Unpack(bad_request):
            violations = [
                Violation(violation.field, violation.reason, violation.description)
                for violation in bad_request.field_violations
            ]
    return BY_CODE[code](reason, status.message, metadata=metadata, violations=violations)
