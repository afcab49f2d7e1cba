"""A server with scripted PayPal responses, for those that the sandbox never gives."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from services.payouts.domain import Payout
from services.payouts.providers.paypal.client import PaypalProvider, http_client
from tests.integration.payouts.harness import paypal_settings

CREATED = {
    "batch_header": {
        "payout_batch_id": "B1",
        "batch_status": "PENDING",
        "sender_batch_header": {"sender_batch_id": "po-p1-1"},
    }
}
LINK = "https://api-m.paypal.com/v1/payments/payouts/FIRST"
DUPLICATE: dict[str, Any] = {
    "name": "USER_BUSINESS_ERROR",
    "details": [
        {
            "issue": "Batch with given sender_batch_id already exists",
            "link": [{"href": LINK, "rel": "self"}],
        }
    ],
}
Answer = tuple[int, Any]
Send = Callable[[], Awaitable[Payout]]
Answering = Callable[..., Awaitable[Send]]


@dataclass
class Scripted:
    """Responses to calls of the payments API, in order; the last is repeated. None closes the
    connection."""

    answers: list[Answer | None]
    token_status: int = 200
    token_count: int = 0
    is_token_held: bool = False
    bodies: list[Any] = field(default_factory=list)
    headers: list[str] = field(default_factory=list)

    async def token(self, _: web.Request) -> web.Response:
        self.token_count += 1
        if self.is_token_held:
            await asyncio.Event().wait()
        return web.json_response(
            {"access_token": f"T{self.token_count}", "expires_in": 3600, "nonce": "kept"},
            status=self.token_status,
        )

    async def call(self, request: web.Request) -> web.Response:
        self.bodies.append(await request.json() if request.can_read_body else None)
        self.headers.append(request.headers["Authorization"])
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if answer is None:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        status, body = answer
        if isinstance(body, bytes):
            return web.Response(status=status, body=body)
        return web.json_response(body, status=status)


Start = Callable[..., Awaitable[PaypalProvider]]


@asynccontextmanager
async def starting() -> AsyncIterator[Start]:
    """Yields a function that starts such a server and returns a client of it. Keyword arguments
    override the client's settings."""
    runners: list[web.AppRunner] = []
    async with http_client() as http:

        async def begin(scripted: Scripted, **settings: object) -> PaypalProvider:
            application = web.Application()
            application.router.add_post("/v1/oauth2/token", scripted.token)
            application.router.add_route("*", "/v1/{rest:(payments|reporting)/.*}", scripted.call)
            runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
            await runner.setup()
            runners.append(runner)
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            known = paypal_settings(f"http://127.0.0.1:{runner.addresses[0][1]}")
            return PaypalProvider(known.model_copy(update=settings), http)

        yield begin
        for runner in runners:
            await runner.cleanup()


def shown_batch(
    value: str = "100.00",
    receiver: str = "anna@example.com",
    state: str = "PENDING",
    status: str = "PENDING",
) -> Any:
    detail = {"receiver": receiver, "amount": {"currency": "USD", "value": value}}
    header = CREATED["batch_header"] | {"payout_batch_id": "FIRST", "batch_status": state}
    item = {"payout_item_id": "I1", "transaction_status": status, "payout_item": detail}
    return {"batch_header": header, "items": [item]}
