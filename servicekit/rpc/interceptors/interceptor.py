"""The base class of interceptors, which wrap each call of the platform's own services. A server
stream is one call (see `servicekit.rpc.interceptors.streams`)."""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import grpc
from google.protobuf.message import Message

from servicekit.rpc.access import Rpc, Rpcs

Proceed = Callable[[], Awaitable[Message]]
if TYPE_CHECKING:  # generic in the stubs only
    Context = grpc.aio.ServicerContext[Any, Any]
    Handler = grpc.RpcMethodHandler[Any, Any]
else:
    Context = grpc.aio.ServicerContext
    Handler = grpc.RpcMethodHandler

# Services without access control: they disclose no data.
_OPEN = ("/grpc.health.v1.Health/", "/grpc.reflection.v1alpha.ServerReflection/")


class Interceptor(grpc.aio.ServerInterceptor, ABC):
    """Does not wrap health and reflection. All other methods are in an access table."""

    def __init__(self, rpcs: Rpcs) -> None:
        self._rpcs = rpcs

    @abstractmethod
    async def around(
        self, rpc: Rpc, request: Message, context: Context, proceed: Proceed
    ) -> Message:
        """Serves one call; `proceed` runs the rest of the chain."""

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        handler = await continuation(handler_call_details)
        if handler is None or handler_call_details.method.startswith(_OPEN):
            return handler
        rpc = self._rpcs[handler_call_details.method]
        behaviour: Any = handler.unary_unary

        async def serve(request: Message, context: Context) -> Message:
            return await self.around(rpc, request, context, lambda: behaviour(request, context))

        return grpc.unary_unary_rpc_method_handler(
            serve, handler.request_deserializer, handler.response_serializer
        )
