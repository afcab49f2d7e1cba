"""Parses PayPal's responses about payments.

Unknown fields are accepted: the link to the first batch of a duplicate is in none of the published
schemas. A malformed response raises one of UNREADABLE.
"""

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import httpx

from servicekit.money import Money
from services.payouts.providers.interface import (
    AlreadyTaken,
    Batch,
    Item,
    NothingTaken,
    Order,
    OutcomeUnknown,
    ProviderError,
    Rejected,
)

PAYOUTS_PATH = "/v1/payments/payouts"
UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, InvalidOperation)

_NAME = re.compile(r"[A-Z0-9_]{1,60}")


def batch_id_of(order: Order, response: httpx.Response) -> str:
    """Returns the batch id from the response to a POST of a payment.

    Raises:
        NothingTaken, Rejected, OutcomeUnknown, AlreadyTaken: the POST did not create the batch.
    """
    status, answer = response.status_code, read_json(response)
    name = name_in(answer)
    if status == HTTPStatus.CREATED:
        header = mapping(answer.get("batch_header"))
        sender_header = mapping(header.get("sender_batch_header"))
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
    # Without a PayPal error name the response may come from a proxy in between.
    if status == HTTPStatus.BAD_REQUEST and name:
        raise _refusal(name, answer)
    if status == HTTPStatus.FORBIDDEN and name:
        raise Rejected(name)
    raise OutcomeUnknown(f"HTTP_{status}")


def batch_of(answer: Mapping[str, Any]) -> Batch:
    header = answer["batch_header"]
    return Batch(
        id=header["payout_batch_id"],
        sender_batch_id=mapping(header.get("sender_batch_header")).get("sender_batch_id", ""),
        state=header["batch_status"],
        items=tuple(map(_item, answer.get("items", ()))),
    )


def in_minor_units(value: object) -> int:
    """Minor units of a decimal string in major units."""
    minor = Decimal(str(value)) * 100
    if not minor.is_finite() or minor != int(minor):
        raise ValueError("amount has fractions of a minor unit")
    return int(minor)


def name_in(answer: Mapping[str, Any]) -> str:
    """PayPal's error name; empty if the response has none."""
    name = answer.get("name", "")
    return name if isinstance(name, str) and _NAME.fullmatch(name) else ""


def code_of(response: httpx.Response) -> str:
    """PayPal's error name, or else the HTTP status."""
    return name_in(read_json(response)) or f"HTTP_{response.status_code}"


def read_json(response: httpx.Response) -> Mapping[str, Any]:
    try:
        return mapping(response.json())
    except ValueError:
        return {}


def mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _refusal(name: str, answer: Mapping[str, Any]) -> ProviderError:
    """The error of a 400: the id is taken (recognized by its link, or only by its text), or the
    order is invalid."""
    for detail in _list(answer.get("details")):
        for link in _list(mapping(detail).get("link")):
            path = urlsplit(str(mapping(link).get("href", ""))).path
            # Only the id is used: our token is sent to no URL but the configured one.
            if batch_id := path.partition(f"{PAYOUTS_PATH}/")[2]:
                return AlreadyTaken(name, batch_id)
    if name == "USER_BUSINESS_ERROR" and "already exist" in str(answer).lower():
        return AlreadyTaken(name, None)
    return Rejected(name)


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
        error_code=name_in(mapping(answer.get("errors"))),
        transaction_id=str(answer.get("transaction_id", "")),
    )


def _money(answer: Mapping[str, Any]) -> Money:
    return Money(answer["currency"], in_minor_units(answer["value"]))


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
