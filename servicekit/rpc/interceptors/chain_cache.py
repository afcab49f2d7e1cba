"""Puts a method's chain of interceptors together at its first call only.

gRPC asks every interceptor anew at each call. Ours, asked for the same method, always answer the
same.
"""

from collections.abc import Awaitable, Callable

import grpc

from servicekit.rpc.interceptors.interceptor import Handler


class ChainCache(grpc.aio.ServerInterceptor):
    """Outermost of all."""

    def __init__(self) -> None:
        self._handlers: dict[str, Handler] = {}

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        method = handler_call_details.method
        if method in self._handlers:
            return self._handlers[method]
        handler = await continuation(handler_call_details)
        if handler is not None:  # anybody can make up methods that do not exist
            self._handlers[method] = handler
        return handler
