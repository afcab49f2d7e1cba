"""Caches each method's chain of interceptors, which gRPC would build anew for every call.

This is possible because our interceptors return the same handler whenever the method is the same.
"""

from collections.abc import Awaitable, Callable

import grpc

from servicekit.rpc.interceptors.interceptor import Handler


class ChainCache(grpc.aio.ServerInterceptor):
    """Must be the outermost interceptor."""

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
        if handler is not None:  # callers can send any number of unknown methods
            self._handlers[method] = handler
        return handler
