"""Makes server streams look like unary calls to the interceptors in between.

`StreamWriter` is innermost: it writes what a method yields and returns when the stream has ended.
`StreamOpener` is outermost: it registers the call with gRPC as a stream. So `around` wraps a stream
from its first message to its last in one task: an error raised at any point is sent with its
reason, and a context variable set at the start is still set at the end.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Any

import grpc
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message

from servicekit.auth import current_principal
from servicekit.clock import utc_now
from servicekit.errors import LiaisonError, Reason, Unauthenticated, Unavailable
from servicekit.rpc.access import Rpcs
from servicekit.rpc.interceptors.interceptor import Context, Handler

Continuation = Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]]


class StreamOpener(grpc.aio.ServerInterceptor):
    def __init__(self, rpcs: Rpcs) -> None:
        self._rpcs = rpcs

    async def intercept_service(
        self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> Handler | None:
        handler: Any = await continuation(handler_call_details)
        rpc = self._rpcs.get(handler_call_details.method)
        if handler is None or rpc is None or not rpc.is_stream:
            return handler  # type: ignore[no-any-return]  # the stubs know no behaviours
        # gRPC accepts a coroutine here, which then writes the messages itself.
        return grpc.unary_stream_rpc_method_handler(
            handler.unary_unary, handler.request_deserializer, handler.response_serializer
        )


class StreamWriter(grpc.aio.ServerInterceptor):
    """Ends a stream when its method ends, its caller disconnects, the caller's token expires, or
    the server drains, so that a shutdown does not wait for watchers."""

    def __init__(self, rpcs: Rpcs) -> None:
        self._rpcs = rpcs
        self._open: set[asyncio.Timeout] = set()
        self._is_draining = False

    def drain(self) -> None:
        """Ends every stream with UNAVAILABLE, so that callers reconnect."""
        self._is_draining = True
        now = asyncio.get_running_loop().time()
        for stream in self._open:
            if not stream.expired():
                stream.reschedule(now)

    async def intercept_service(
        self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> Handler | None:
        handler: Any = await continuation(handler_call_details)
        rpc = self._rpcs.get(handler_call_details.method)
        if handler is None or rpc is None or not rpc.is_stream:
            return handler  # type: ignore[no-any-return]  # the stubs know no behaviours

        async def write_all(request: Message, context: Context) -> Message:
            # Closed at once and not by the garbage collector: it may hold a subscription.
            async with aclosing(handler.unary_stream(request, context)) as messages:
                await self._write(messages, context)
            return Empty()  # never sent: the messages were written above

        return grpc.unary_unary_rpc_method_handler(
            write_all, handler.request_deserializer, handler.response_serializer
        )

    async def _write(self, messages: AsyncGenerator[Message, None], context: Context) -> None:
        if self._is_draining:
            raise self._end()
        try:
            async with asyncio.timeout(_token_lifetime_seconds()) as stream:
                self._open.add(stream)
                try:
                    async for message in messages:
                        await _send(message, context)
                finally:
                    self._open.discard(stream)
        except TimeoutError:
            if stream.expired():
                raise self._end() from None
            raise

    def _end(self) -> LiaisonError:
        if self._is_draining:
            return Unavailable(
                Reason.DEPENDENCY_UNAVAILABLE, "The server is shutting down: reconnect and resume"
            )
        return Unauthenticated(Reason.CREDENTIALS_INVALID, "The bearer token has expired")


def _token_lifetime_seconds() -> float | None:
    """Seconds until the caller's token expires; None if it does not."""
    expire_time = current_principal().expire_time
    return None if expire_time is None else (expire_time - utc_now()).total_seconds()


async def _send(message: Message, context: Context) -> None:
    try:
        await context.write(message)
    except grpc.aio.InternalError as error:
        # The caller has disconnected, and gRPC is about to cancel this task.
        raise asyncio.CancelledError from error
