"""Where PayPal's webhooks arrive: HTTP in and out.

A webhook is a nudge and no more: it makes us look ourselves. It is answered with 2xx only when what
we saw is booked, so that PayPal sends it again otherwise.
"""

import json
from collections.abc import Mapping
from typing import Any, Protocol

import structlog
from aiohttp import web
from opentelemetry import trace

from servicekit.errors import LiaisonError
from servicekit.settings import Address
from services.payouts.domain import Payout
from services.payouts.providers.paypal.signatures import (
    CertificateUnavailable,
    Forged,
    SignatureVerifier,
)
from services.payouts.sending.handlers import Hint, PaymentHandlers
from services.payouts.workflows import NEWS

log = structlog.get_logger()
_tracer = trace.get_tracer(__name__)

PATH = "/webhooks/paypal"
# PayPal's events have a few kilobytes.
_MAXIMUM_BYTES = 256 * 1024
_STOP_SECONDS = 10.0


class Runs(Protocol):
    async def tell(self, payout: Payout) -> None:
        """Tells the payout's workflow, if it can be told."""


class WebhookServer:
    """`address` is known once it is started."""

    def __init__(
        self,
        address: Address,
        verifier: SignatureVerifier,
        payments: PaymentHandlers,
        runs: Runs,
    ) -> None:
        self.address = address
        self._verifier = verifier
        self._payments = payments
        self._runs = runs
        application = web.Application(client_max_size=_MAXIMUM_BYTES)
        application.router.add_post(PATH, self._receive)
        application.router.add_get("/healthz", self._health)
        self._runner = web.AppRunner(
            application, access_log=None, shutdown_timeout=_STOP_SECONDS, handler_cancellation=False
        )

    async def start(self) -> None:
        host, _, port = self.address.rpartition(":")
        await self._runner.setup()
        await web.TCPSite(self._runner, host, int(port)).start()
        self.address = f"{host}:{self._runner.addresses[0][1]}"
        log.info("serving_webhooks", address=self.address)

    async def stop(self) -> None:
        """Takes no new event, and lets those under way be booked."""
        await self._runner.cleanup()

    async def _health(self, _: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def _receive(self, request: web.Request) -> web.Response:
        with _tracer.start_as_current_span(f"POST {PATH}", kind=trace.SpanKind.SERVER) as span:
            body = await request.read()
            try:
                await self._verifier.verify(request.headers, body)
            except Forged as error:
                log.warning("webhook_forged", reason=str(error))
                return web.Response(status=401)
            except CertificateUnavailable:
                log.warning("webhook_certificate_unavailable")
                return web.Response(status=503)
            try:
                hint = hint_in(json.loads(body))
            except (ValueError, TypeError):
                return web.Response(status=400)
            return await self._follow(hint, span)

    async def _follow(self, hint: Hint, span: trace.Span) -> web.Response:
        try:
            booked = await self._payments.follow(hint)
        except LiaisonError as error:
            log.warning("webhook_not_booked", error=error.message)
            return web.Response(status=503)
        if booked is None:
            return web.Response()
        span.set_attribute("payout.id", booked.payout.id)
        if booked.has_moved and booked.payout.state in NEWS:
            await self._runs.tell(booked.payout)
        return web.Response()


def hint_in(event: Any) -> Hint:
    """The ids and states in an event, of a batch or of an item.

    Raises:
        TypeError: it is no event.
    """
    resource = event.get("resource") if isinstance(event, dict) else None
    if not isinstance(resource, dict):
        raise TypeError("an event without a resource")
    header = _mapping(resource.get("batch_header"))
    sender_header = _mapping(header.get("sender_batch_header"))
    return Hint(
        sender_batch_id=_text(
            sender_header.get("sender_batch_id") or resource.get("sender_batch_id")
        ),
        provider_batch_id=_text(header.get("payout_batch_id") or resource.get("payout_batch_id")),
        item_state=_text(resource.get("transaction_status")),
        batch_state=_text(header.get("batch_status")),
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
