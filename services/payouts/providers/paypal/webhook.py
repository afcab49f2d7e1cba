"""HTTP server for PayPal's webhooks.

Webhook content is untrusted: it only triggers a sync (`PaymentHandlers.handle_event`). The answer
is 2xx only once the sync is committed; otherwise PayPal repeats the event.
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
from services.payouts.sending.handlers import PaymentHandlers, ProviderEvent
from services.payouts.workflows import SIGNALLED_STATES

log = structlog.get_logger()
_tracer = trace.get_tracer(__name__)

PATH = "/webhooks/paypal"
# PayPal's events have a few kilobytes.
_MAXIMUM_BYTES = 256 * 1024
_STOP_SECONDS = 10.0


class PayoutWorkflows(Protocol):
    async def try_signal(self, payout: Payout) -> None:
        """Signals the payout's workflow on a best-effort basis."""


class WebhookServer:
    """`address` is valid after `start`: port 0 is replaced by the bound port."""

    def __init__(
        self,
        address: Address,
        verifier: SignatureVerifier,
        payments: PaymentHandlers,
        workflows: PayoutWorkflows,
    ) -> None:
        self.address = address
        self._verifier = verifier
        self._payments = payments
        self._workflows = workflows
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
        """Accepts no new event; finishes those in progress."""
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
                event = parse_event(json.loads(body))
            except (ValueError, TypeError):
                return web.Response(status=400)
            return await self._handle(event, span)

    async def _handle(self, event: ProviderEvent, span: trace.Span) -> web.Response:
        try:
            result = await self._payments.handle_event(event)
        except LiaisonError as error:
            log.warning("webhook_not_processed", error=error.message)
            return web.Response(status=503)
        if result is None:
            return web.Response()
        span.set_attribute("payout.id", result.payout.id)
        if result.has_changed and result.payout.state in SIGNALLED_STATES:
            await self._workflows.try_signal(result.payout)
        return web.Response()


def parse_event(body: Any) -> ProviderEvent:
    """Reads the ids and states from an event about a batch or an item.

    Raises:
        TypeError: the body is not an event.
    """
    resource = body.get("resource") if isinstance(body, dict) else None
    if not isinstance(resource, dict):
        raise TypeError("an event without a resource")
    header = _mapping(resource.get("batch_header"))
    sender_header = _mapping(header.get("sender_batch_header"))
    return ProviderEvent(
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
