"""The body of a payout request: what is accepted, and each violation in PayPal's wording.

Unknown fields are accepted, as PayPal does.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from devstack.paypal_sandbox import amounts

MAX_ITEMS = 15_000

# Recipient types that responses can contain; a request may also say USER_HANDLE, for Venmo.
RecipientType = Literal["EMAIL", "PHONE", "PAYPAL_ID"]
Wallet = Literal["PAYPAL", "VENMO", "RECIPIENT_SELECTED"]
Purpose = Literal[
    "AWARDS",
    "PRIZES",
    "DONATIONS",
    "GOODS",
    "SERVICES",
    "REBATES",
    "CASHBACK",
    "DISCOUNTS",
    "NON_GOODS_OR_SERVICES",
]


class _Body(BaseModel):
    # Strict: an amount sent as a number is PayPal's most common rejection.
    model_config = ConfigDict(strict=True)


class Amount(_Body):
    currency: str
    value: Annotated[str, StringConstraints(pattern=r"^\d{1,12}(\.\d{1,2})?$")]

    @model_validator(mode="after")
    def _is_payable(self) -> Self:
        if self.currency not in amounts.CURRENCIES:
            raise ValueError("currency is not supported")
        if self.decimal <= 0:
            raise ValueError("value must be greater than zero")
        if self.decimal % amounts.exponent(self.currency):
            raise ValueError("value has more decimals than the currency")
        if self.currency == "USD" and self.decimal > amounts.MAX_ITEM_USD:
            raise ValueError("value is above the limit of a single payout")
        return self

    @property
    def decimal(self) -> Decimal:
        return Decimal(self.value)


class Item(_Body):
    amount: Amount
    receiver: Annotated[str, StringConstraints(min_length=1, max_length=127)]
    recipient_type: RecipientType | None = None
    sender_item_id: Annotated[str, StringConstraints(max_length=63)] | None = None
    note: Annotated[str, StringConstraints(max_length=4000)] | None = None
    recipient_wallet: Wallet | None = None
    purpose: Purpose | None = None


class Header(_Body):
    sender_batch_id: Annotated[str, StringConstraints(min_length=1, max_length=256)] | None = None
    recipient_type: RecipientType | None = None
    email_subject: Annotated[str, StringConstraints(max_length=255)] | None = None
    email_message: Annotated[str, StringConstraints(max_length=1000)] | None = None
    note: Annotated[str, StringConstraints(max_length=1000)] | None = None


class CreatePayout(_Body):
    sender_batch_header: Header
    items: Annotated[list[Item], Field(min_length=1, max_length=MAX_ITEMS)]

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if len({item.amount.currency for item in self.items}) > 1:
            raise ValueError("all items of a batch must have the same currency")
        for item in self.items:
            if self.recipient_type_of(item) == "EMAIL" and "@" not in item.receiver:
                raise ValueError("receiver must be an email address")
        return self

    def recipient_type_of(self, item: Item) -> str:
        return item.recipient_type or self.sender_batch_header.recipient_type or "EMAIL"

    @property
    def currency(self) -> str:
        return self.items[0].amount.currency


def violations(error: ValidationError) -> list[dict[str, Any]]:
    """At most 100 violations: a batch may have thousands of items with the same error."""
    return [_violation(found) for found in error.errors(include_url=False)[:100]]


def _violation(found: Mapping[str, Any]) -> dict[str, Any]:
    field = ""
    for part in found["loc"]:
        field += f"[{part}]" if isinstance(part, int) else f".{part}" if field else str(part)
    issue = str(found["msg"]).removeprefix("Value error, ")
    return {"field": field or "body", "location": "body", "issue": issue}
