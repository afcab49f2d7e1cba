"""The body of a payout request: validation, and the fields that errors name."""

from typing import Any

import pytest
from pydantic import ValidationError

from devstack.paypal_sandbox.web.requests import CreatePayout, violations


def item(**changes: Any) -> dict[str, Any]:
    amount = {"currency": "USD", "value": "12.50"}
    return {"amount": amount, "receiver": "anna@example.com"} | changes


def body(*items: dict[str, Any], **header: Any) -> dict[str, Any]:
    return {"sender_batch_header": {"sender_batch_id": "po-1-1"} | header, "items": list(items)}


def amount(currency: str, value: Any) -> dict[str, Any]:
    return item(amount={"currency": currency, "value": value})


def fields(wanted: dict[str, Any]) -> list[str]:
    with pytest.raises(ValidationError) as refused:
        CreatePayout.model_validate(wanted)
    return [violation["field"] for violation in violations(refused.value)]


def test_unknown_fields_are_accepted() -> None:
    wanted = CreatePayout.model_validate(body(item(novelty=1)) | {"more": True})
    assert wanted.recipient_type_of(wanted.items[0]) == "EMAIL"


@pytest.mark.parametrize(
    "value", [12.5, "12,50", "1e3", "12.505", "-1", "", "0", "0.00", "20000.01"]
)
def test_an_amount_is_a_positive_decimal_string_under_the_limit(value: Any) -> None:
    (field,) = fields(body(amount("USD", value)))
    assert field.startswith("items[0].amount")


def test_decimals_follow_the_currency() -> None:
    assert fields(body(amount("JPY", "10.5"))) == ["items[0].amount"]
    CreatePayout.model_validate(body(amount("JPY", "10.00")))


def test_every_violation_is_reported_at_once() -> None:
    wrong = body(item(receiver=""), amount("XXX", "1"), sender_batch_id="")
    assert fields(wrong) == [
        "sender_batch_header.sender_batch_id",
        "items[0].receiver",
        "items[1].amount",
    ]


def test_a_batch_is_not_empty_and_of_one_currency() -> None:
    assert fields(body()) == ["items"]
    assert fields(body(amount("USD", "1"), amount("EUR", "1"))) == ["body"]


def test_an_email_receiver_is_an_address() -> None:
    assert fields(body(item(receiver="anna"))) == ["body"]
    CreatePayout.model_validate(body(item(receiver="QXYZ123", recipient_type="PAYPAL_ID")))
