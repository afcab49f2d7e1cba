"""PayPal's Payouts v1 over HTTP: the few calls we make, and what its answers mean.

No maintained SDK covers them. Fields we do not know are kept, not refused: the link to the first
batch of a duplicate is in none of the published schemas.
"""

import asyncio
import re
import time
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlsplit

import httpx

from servicekit.money import Money
from services.payouts.domain import SEND
from services.payouts.provider import (
    AlreadyTaken,
    Batch,
    Item,
    NothingTaken,
    NotReadable,
    Order,
    OutcomeUnknown,
    ProviderError,
    Rejected,
)
from services.payouts.settings import PaypalSettings

_PAYOUTS_PATH = "/v1/payments/payouts"
_ASK_SECONDS = 8.0
# A token is renewed this long before PayPal would refuse it.
_TOKEN_MARGIN_SECONDS = 60.0
_NAME = re.compile(r"[A-Z0-9_]{1,60}")
_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


def http_client() -> httpx.AsyncClient:
    """Redirects are not followed and no proxy is taken from the environment: where a payment order
    goes is told by our own settings alone."""
    return httpx.AsyncClient(timeout=_ASK_SECONDS, follow_redirects=False, trust_env=False)


class Paypal:
    """The provider that pays by PayPal."""

    def __init__(self, settings: PaypalSettings, http: httpx.AsyncClient) -> None:
        self._settings = settings
        self._http = http
        self._token = ""
        self._token_end = 0.0
        self._token_lock = asyncio.Lock()

    async def send(self, order: Order) -> str:
        """See `Provider.send`. Ends within `domain.SEND`."""
        is_posting = False
        try:
            async with asyncio.timeout(SEND.total_seconds()):
                token = await self._authorization()
                is_posting = True
                response = await self._post(order, token)
                if response.status_code == HTTPStatus.UNAUTHORIZED:
                    # Nobody is let in without a token, so nothing was taken.
                    is_posting = False
                    token = await self._authorization(instead_of=token)
                    is_posting = True
                    response = await self._post(order, token)
        except TimeoutError as error:
            kind: type[ProviderError] = OutcomeUnknown if is_posting else NothingTaken
            raise kind("TIMEOUT") from error
        return _batch_id_of(order, response)

    async def batch(self, batch_id: str) -> Batch:
        """See `Provider.batch`."""
        path = f"{_PAYOUTS_PATH}/{quote(batch_id, safe='')}"
        try:
            token = await self._authorization()
            response = await self._get(path, token)
            if response.status_code == HTTPStatus.UNAUTHORIZED:
                response = await self._get(path, await self._authorization(instead_of=token))
        except (NothingTaken, httpx.HTTPError) as error:
            raise NotReadable(type(error).__name__) from error
        if response.status_code != HTTPStatus.OK:
            raise NotReadable(_name_in(_json(response)) or f"HTTP_{response.status_code}")
        try:
            return _batch(_json(response))
        except (ValueError, KeyError, TypeError, AttributeError, InvalidOperation) as error:
            raise NotReadable("UNREADABLE_ANSWER") from error

    async def _authorization(self, *, instead_of: str = "") -> str:
        """The header's value, cached while it is good.

        Raises:
            NothingTaken: PayPal does not let us in.
        """
        async with self._token_lock:
            is_good = time.monotonic() < self._token_end and self._token != instead_of
            if not is_good:
                await self._renew_token()
            return self._token

    async def _renew_token(self) -> None:
        settings = self._settings
        try:
            response = await self._http.post(
                f"{settings.paypal_base_url}/v1/oauth2/token",
                data={"grant_type": "client_credentials"},
                auth=(settings.paypal_client_id, settings.paypal_client_secret.get_secret_value()),
            )
            response.raise_for_status()
            answer = response.json()
            self._token = f"Bearer {answer['access_token']}"
            self._token_end = time.monotonic() + float(answer["expires_in"]) - _TOKEN_MARGIN_SECONDS
        except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
            raise NothingTaken("AUTHENTICATION_FAILED") from error

    async def _post(self, order: Order, authorization: str) -> httpx.Response:
        try:
            return await self._http.post(
                f"{self._settings.paypal_base_url}{_PAYOUTS_PATH}",
                json=_body(order),
                headers={"Authorization": authorization},
                timeout=httpx.Timeout(SEND.total_seconds()),
            )
        except _NEVER_SENT as error:
            raise NothingTaken("UNREACHABLE") from error
        except httpx.HTTPError as error:
            raise OutcomeUnknown(type(error).__name__.upper()) from error

    async def _get(self, path: str, authorization: str) -> httpx.Response:
        return await self._http.get(
            f"{self._settings.paypal_base_url}{path}",
            params={"page_size": 2},
            headers={"Authorization": authorization},
        )


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
            }
        ],
    }


def _batch_id_of(order: Order, response: httpx.Response) -> str:
    """The batch that an answer to a POST tells of, or what it tells instead."""
    status, answer = response.status_code, _json(response)
    name = _name_in(answer)
    if status == HTTPStatus.CREATED:
        header = _mapping(answer.get("batch_header"))
        sender_header = _mapping(header.get("sender_batch_header"))
        batch_id = header.get("payout_batch_id")
        if (
            isinstance(batch_id, str)
            and batch_id
            and sender_header.get("sender_batch_id") == order.sender_batch_id
        ):
            return batch_id
        raise OutcomeUnknown("UNREADABLE_ANSWER")
    if status in (HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.TOO_MANY_REQUESTS):
        raise NothingTaken(name or f"HTTP_{status}")
    if status == HTTPStatus.UNAUTHORIZED:
        raise NothingTaken(name or "AUTHENTICATION_FAILED")
    # Without PayPal's own word for it, an answer may come from anything that stands in between.
    if status == HTTPStatus.BAD_REQUEST and name:
        raise _refusal(name, answer)
    if status == HTTPStatus.FORBIDDEN and name:
        raise Rejected(name)
    raise OutcomeUnknown(f"HTTP_{status}")


def _refusal(name: str, answer: Mapping[str, Any]) -> ProviderError:
    """A 400: either the id is taken already, which is known by its link or only by its words, or
    the order itself is wrong."""
    for detail in _list(answer.get("details")):
        for link in _list(_mapping(detail).get("link")):
            path = urlsplit(str(_mapping(link).get("href", ""))).path
            # Only the id is taken from it: our token goes nowhere but to the address we know.
            if batch_id := path.partition(f"{_PAYOUTS_PATH}/")[2]:
                return AlreadyTaken(name, batch_id)
    if name == "USER_BUSINESS_ERROR" and "already exist" in str(answer).lower():
        return AlreadyTaken(name, None)
    return Rejected(name)


def _batch(answer: Mapping[str, Any]) -> Batch:
    header = answer["batch_header"]
    return Batch(
        id=header["payout_batch_id"],
        sender_batch_id=_mapping(header.get("sender_batch_header")).get("sender_batch_id", ""),
        state=header["batch_status"],
        items=tuple(map(_item, answer.get("items", ()))),
    )


def _item(answer: Mapping[str, Any]) -> Item:
    detail = answer["payout_item"]
    amount = _money(detail["amount"])
    fee = answer.get("payout_item_fee")
    return Item(
        id=answer["payout_item_id"],
        state=answer.get("transaction_status", ""),
        receiver=str(detail["receiver"]),
        amount=amount,
        fee=_money(fee) if fee else Money(amount.currency, 0),
        error_code=_name_in(_mapping(answer.get("errors"))),
    )


def _money(answer: Mapping[str, Any]) -> Money:
    minor = Decimal(str(answer["value"])) * 100
    if not minor.is_finite() or minor != int(minor):
        raise ValueError("an amount that is not in minor units")
    return Money(answer["currency"], int(minor))


def _name_in(answer: Mapping[str, Any]) -> str:
    name = answer.get("name", "")
    return name if isinstance(name, str) and _NAME.fullmatch(name) else ""


def _json(response: httpx.Response) -> Mapping[str, Any]:
    try:
        return _mapping(response.json())
    except ValueError:
        return {}


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
