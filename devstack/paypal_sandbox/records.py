"""Rows of the store as plain data."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from devstack.paypal_sandbox.lifecycle import (
    FEELESS,
    BatchStatus,
    Behaviour,
    ItemError,
    ItemStatus,
)


@dataclass(frozen=True, slots=True)
class Batch:
    batch_id: str
    sender_batch_id: str | None
    status: BatchStatus
    currency: str
    header: dict[str, Any]
    created_at: float
    completed_at: float | None = None


@dataclass(frozen=True, slots=True)
class Item:
    item_id: str
    batch_id: str
    position: int
    status: ItemStatus
    behaviour: Behaviour
    amount: Decimal
    fee: Decimal
    detail: dict[str, Any]
    transaction_id: str | None = None
    processed_at: float | None = None
    error: ItemError | None = None

    @property
    def charged_fee(self) -> Decimal:
        return Decimal(0) if self.status in FEELESS else self.fee


@dataclass(frozen=True, slots=True)
class Change:
    """A scheduled change of an item, or of the batch itself."""

    due_at: float
    batch_id: str
    item_id: str | None
    status: str
    error: ItemError | None = None
    change_id: int = 0


@dataclass(frozen=True, slots=True)
class Event:
    """A webhook event with its exact body, since the signature covers the bytes."""

    event_id: str
    batch_id: str
    event_type: str
    body: str
    created_at: float
    attempts: int = 0
    next_attempt_at: float | None = None
    delivered_at: float | None = None
    last_result: str = ""


@dataclass(frozen=True, slots=True)
class Override:
    """A behaviour set by the admin call for one receiver."""

    receiver: str
    behaviour: Behaviour
    delay_seconds: float | None


@dataclass(frozen=True, slots=True)
class Movement:
    """A line of the transaction reports; amounts that left the account are negative."""

    transaction_id: str
    event_code: str
    status: str
    currency: str
    amount: Decimal
    initiated_at: float
    updated_at: float
    batch_id: str | None = None
    reference_id: str | None = None
    fee: Decimal | None = None
    custom_field: str | None = None
    is_reported: bool = True


@dataclass(frozen=True, slots=True)
class Conditions:
    """Limits and delays set by an admin call."""

    reporting_lag_seconds: float = 0.0
    # PayPal's limit on the lines of a report.
    report_line_limit: int = 10_000
    # None: as many as come.
    posts_a_minute: int | None = None
