"""PayPal's Payouts v1 over HTTP: the few calls we make. No maintained SDK covers them."""

import asyncio
from datetime import datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import httpx

from services.payouts.attempts import LEASE, SEND
from services.payouts.providers.interface import (
    FENCE_LOST,
    Batch,
    MayPost,
    NotCancellable,
    NothingTaken,
    NotReadable,
    Order,
    OutcomeUnknown,
    ProviderError,
    Report,
)
from services.payouts.providers.paypal.connection import ASK_SECONDS, PaypalConnection
from services.payouts.providers.paypal.rate_limiter import SlidingWindowLimiter
from services.payouts.providers.paypal.reports import read_report
from services.payouts.providers.paypal.responses import (
    PAYOUTS_PATH,
    UNREADABLE,
    batch_id_of,
    batch_of,
    code_of,
    name_in,
    read_json,
)
from services.payouts.settings import PaypalSettings

# For the token and the rate limiter. Less than LEASE - SEND, after which `may_post` refuses.
_READY_SECONDS = (LEASE - SEND).total_seconds() - 1
_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_NOT_UNCLAIMED = frozenset({"ITEM_INCORRECT_STATUS", "ITEM_ALREADY_CANCELLED"})


def http_client() -> httpx.AsyncClient:
    """Follows no redirects and takes no proxy from the environment: only our settings decide where
    a payment order is sent."""
    return httpx.AsyncClient(timeout=ASK_SECONDS, follow_redirects=False, trust_env=False)


class PaypalProvider:
    """Pays through PayPal; implements `interface.Provider`."""

    def __init__(self, settings: PaypalSettings, http: httpx.AsyncClient) -> None:
        self._connection = PaypalConnection(settings, http)
        self._limiter = SlidingWindowLimiter(settings.paypal_posts_a_minute)

    async def send(self, order: Order, may_post: MayPost) -> str:
        """See `Provider.send`. Ends within `attempts.LEASE`, the POST itself within SEND."""
        token = await self._ready()
        response = await self._post(order, token, may_post)
        if response.status_code == HTTPStatus.UNAUTHORIZED:
            # The token was refused, so no order was accepted.
            token = await self._ready(instead_of=token)
            response = await self._post(order, token, may_post)
        return batch_id_of(order, response)

    async def batch(self, batch_id: str) -> Batch:
        """See `Provider.batch`."""
        path = f"{PAYOUTS_PATH}/{quote(batch_id, safe='')}"
        response = await self._connection.ask("GET", path, params={"page_size": 2})
        if response.status_code != HTTPStatus.OK:
            raise NotReadable(code_of(response))
        try:
            return batch_of(read_json(response))
        except UNREADABLE as error:
            raise NotReadable("UNREADABLE_ANSWER") from error

    async def cancel(self, item_id: str) -> None:
        """See `Provider.cancel`."""
        path = f"{PAYOUTS_PATH}-item/{quote(item_id, safe='')}/cancel"
        response = await self._connection.ask("POST", path)
        if response.status_code == HTTPStatus.OK:
            return
        name = name_in(read_json(response))
        if response.status_code == HTTPStatus.BAD_REQUEST and name in _NOT_UNCLAIMED:
            raise NotCancellable(name)
        raise NotReadable(code_of(response))

    async def report(self, start: datetime, end: datetime) -> Report:
        """See `Provider.report`. PayPal's reports lag by up to three hours."""
        return await read_report(self._connection, start, end)

    async def _ready(self, *, instead_of: str = "") -> str:
        """Waits for a token and the rate limiter; returns the authorization header.

        Raises:
            NothingTaken.
        """
        code = "TIMEOUT"
        try:
            async with asyncio.timeout(_READY_SECONDS):
                authorization = await self._connection.authorization(instead_of=instead_of)
                code = "RATE_LIMITED"
                await self._limiter.acquire()
                return authorization
        except TimeoutError as error:
            raise NothingTaken(code) from error

    async def _post(self, order: Order, authorization: str, may_post: MayPost) -> httpx.Response:
        kind: type[ProviderError] = NothingTaken
        try:
            async with asyncio.timeout(SEND.total_seconds()):
                if not await may_post():
                    raise NothingTaken(FENCE_LOST)
                kind = OutcomeUnknown
                return await self._connection.request(
                    "POST",
                    PAYOUTS_PATH,
                    authorization,
                    json=_body(order),
                    timeout_seconds=SEND.total_seconds(),
                )
        except TimeoutError as error:
            raise kind("TIMEOUT") from error
        except _NEVER_SENT as error:
            raise NothingTaken("UNREACHABLE") from error
        except httpx.HTTPError as error:
            raise OutcomeUnknown(type(error).__name__.upper()) from error


def _body(order: Order) -> dict[str, Any]:
    whole, minor = divmod(order.amount.amount_minor, 100)
    return {
        "sender_batch_header": {
            "sender_batch_id": order.sender_batch_id,
            "email_subject": "You have received a reward",
        },
        "items": [
            {
                "recipient_type": "EMAIL",
                "receiver": order.receiver,
                "amount": {"currency": order.amount.currency, "value": f"{whole}.{minor:02d}"},
                # It guards against nothing; the transaction reports show it.
                "sender_item_id": order.sender_batch_id,
            }
        ],
    }
