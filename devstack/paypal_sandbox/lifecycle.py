"""The lifecycle of batches and items: states, transitions, and behaviours as scripts. Pure.

The behaviours are described in the package's docstring.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

UNCLAIMED_RETURNS_AFTER_SECONDS = 30 * 24 * 3600.0
SENDER_BATCH_ID_GUARDS_SECONDS = 30 * 24 * 3600.0
DEFAULT_DELAY_SECONDS = 3.0


class BatchStatus(StrEnum):
    PENDING = "PENDING"
    PROCESSING = "PROCESSING"
    SUCCESS = "SUCCESS"
    DENIED = "DENIED"


class ItemStatus(StrEnum):
    PENDING = "PENDING"
    ONHOLD = "ONHOLD"
    SUCCESS = "SUCCESS"
    UNCLAIMED = "UNCLAIMED"
    FAILED = "FAILED"
    RETURNED = "RETURNED"
    REFUNDED = "REFUNDED"
    REVERSED = "REVERSED"
    BLOCKED = "BLOCKED"


class Behaviour(StrEnum):
    SUCCESS = "SUCCESS"
    FAILED_LATE = "FAILED_LATE"
    UNCLAIMED = "UNCLAIMED"
    RETURNED = "RETURNED"
    REVERSED_LATE = "REVERSED_LATE"
    ONHOLD = "ONHOLD"
    BLOCKED = "BLOCKED"
    DENIED = "DENIED"
    DROP_RESPONSE = "DROP_RESPONSE"
    CANCEL_DROPS_RESPONSE = "CANCEL_DROPS_RESPONSE"
    ERROR_500_AFTER_ACCEPT = "ERROR_500_AFTER_ACCEPT"
    INSUFFICIENT_FUNDS = "INSUFFICIENT_FUNDS"


class ResponseKind(StrEnum):
    """The response to an accepted POST."""

    CREATED = "CREATED"
    DROPPED = "DROPPED"
    SERVER_ERROR = "SERVER_ERROR"


@dataclass(frozen=True, slots=True)
class ItemError:
    """The error that an item reports."""

    name: str
    message: str


@dataclass(frozen=True, slots=True)
class Step:
    """A scheduled change of an item's status, relative to acceptance."""

    after_seconds: float
    status: ItemStatus
    error: ItemError | None = None


RECEIVER_LOCKED = ItemError("RECEIVER_ACCOUNT_LOCKED", "The receiver's account is locked.")
RECEIVER_UNREGISTERED = ItemError(
    "RECEIVER_UNREGISTERED", "The receiver has no account yet and has to claim the payment."
)
HELD = ItemError("TRANSACTION_HELD", "The payment is being reviewed.")
BLOCKED = ItemError("TRANSACTION_BLOCKED", "The payment has been blocked.")
DENIED = ItemError("BATCH_DENIED", "The batch of this payment was denied.")

_TRANSITIONS: dict[ItemStatus, frozenset[ItemStatus]] = {
    ItemStatus.PENDING: frozenset(ItemStatus)
    - {ItemStatus.PENDING, ItemStatus.RETURNED, ItemStatus.REFUNDED, ItemStatus.REVERSED},
    ItemStatus.ONHOLD: frozenset({ItemStatus.SUCCESS, ItemStatus.FAILED, ItemStatus.BLOCKED}),
    ItemStatus.UNCLAIMED: frozenset({ItemStatus.SUCCESS, ItemStatus.RETURNED}),
    ItemStatus.SUCCESS: frozenset({ItemStatus.REFUNDED, ItemStatus.REVERSED}),
    ItemStatus.BLOCKED: frozenset({ItemStatus.SUCCESS, ItemStatus.FAILED}),
}

_EVENT_SUFFIXES = {
    ItemStatus.SUCCESS: "SUCCEEDED",
    ItemStatus.FAILED: "FAILED",
    ItemStatus.UNCLAIMED: "UNCLAIMED",
    ItemStatus.RETURNED: "RETURNED",
    ItemStatus.REFUNDED: "REFUNDED",
    ItemStatus.ONHOLD: "HELD",
    ItemStatus.BLOCKED: "BLOCKED",
}

# The money never left, so no fee is charged. Whether PayPal refunds the fee of a returned payment
# depends on the agreement; the sandbox keeps reporting it.
FEELESS = frozenset({ItemStatus.FAILED, ItemStatus.BLOCKED})


def may_follow(current: ItemStatus, following: ItemStatus) -> bool:
    """Whether the transition is allowed. Otherwise a scheduled change is dropped (the item was
    cancelled), and an admin's change is refused."""
    return following in _TRANSITIONS.get(current, frozenset())


def is_cancellable(status: ItemStatus) -> bool:
    return status is ItemStatus.UNCLAIMED


def is_complete(batch: BatchStatus, pending_items: int) -> bool:
    """A batch succeeds once no item is pending; unclaimed and failed items count as done."""
    return batch is BatchStatus.PROCESSING and pending_items == 0


def item_event_type(status: ItemStatus) -> str | None:
    """PayPal sends nothing for REVERSED, and nothing for the first PENDING."""
    suffix = _EVENT_SUFFIXES.get(status)
    return f"PAYMENT.PAYOUTS-ITEM.{suffix}" if suffix else None


def batch_event_type(status: BatchStatus) -> str:
    return f"PAYMENT.PAYOUTSBATCH.{status}"


def behaviour_named_by(receiver: str) -> Behaviour:
    """The longest behaviour whose name starts the local part, else SUCCESS."""
    words = re.sub(r"[-.+]", "_", receiver.partition("@")[0].upper())
    for behaviour in sorted(Behaviour, key=len, reverse=True):
        if f"{words}_".startswith(f"{behaviour}_"):
            return behaviour
    return Behaviour.SUCCESS


def response_to(behaviours: Iterable[Behaviour]) -> ResponseKind:
    present = set(behaviours)
    if Behaviour.DROP_RESPONSE in present:
        return ResponseKind.DROPPED
    if Behaviour.ERROR_500_AFTER_ACCEPT in present:
        return ResponseKind.SERVER_ERROR
    return ResponseKind.CREATED


def script(behaviour: Behaviour, delay_seconds: float | None, step_seconds: float) -> list[Step]:
    """The scheduled changes of a new item. A denied item has none: its batch decides.

    The first is at least two steps after acceptance; the batch is PROCESSING one step after it.
    """
    first = 2 * step_seconds
    delay = DEFAULT_DELAY_SECONDS if delay_seconds is None else delay_seconds
    unclaimed = Step(first, ItemStatus.UNCLAIMED, RECEIVER_UNREGISTERED)
    match behaviour:
        case Behaviour.FAILED_LATE:
            return [Step(max(first, delay), ItemStatus.FAILED, RECEIVER_LOCKED)]
        case Behaviour.UNCLAIMED | Behaviour.CANCEL_DROPS_RESPONSE:
            returned_after = (
                UNCLAIMED_RETURNS_AFTER_SECONDS if delay_seconds is None else delay_seconds
            )
            return [unclaimed, Step(first + returned_after, ItemStatus.RETURNED)]
        case Behaviour.RETURNED:
            return [unclaimed, Step(first + delay, ItemStatus.RETURNED)]
        case Behaviour.REVERSED_LATE:
            paid = Step(first, ItemStatus.SUCCESS)
            return [paid, Step(first + delay, ItemStatus.REVERSED)]
        case Behaviour.ONHOLD:
            return [Step(first, ItemStatus.ONHOLD, HELD)]
        case Behaviour.BLOCKED:
            return [Step(first, ItemStatus.BLOCKED, BLOCKED)]
        case Behaviour.DENIED:
            return []
        case _:
            return [Step(max(first, delay_seconds or 0), ItemStatus.SUCCESS)]
