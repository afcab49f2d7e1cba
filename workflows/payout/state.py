"""What a payout's workflow is told and tells: pure. The money itself is the payouts service's."""

from dataclasses import dataclass
from enum import StrEnum

from workflows.policy import Span


class State(StrEnum):
    """Where the money is; see liaison.payouts.v1.Payout.State."""

    RESERVED = "RESERVED"
    SENDING = "SENDING"
    SENT = "SENT"
    PAID = "PAID"
    FAILED = "FAILED"
    RELEASED = "RELEASED"


@dataclass(frozen=True)
class PayoutChanged:
    """The payouts service has booked something new about the latest attempt."""

    state: str
    attempt: int


@dataclass(frozen=True)
class PayoutTerms:
    """A reward that is due. `reserved_minor` is None when nothing was set aside yet."""

    payout_id: str
    brand_id: str
    creator_id: str
    currency: str
    amount_minor: int
    reserved_minor: int | None
    retry_interval: Span
    is_held: bool = False


@dataclass(frozen=True)
class SendPayout:
    """One attempt; 1 is the first."""

    payout_id: str
    attempt: int


@dataclass(frozen=True)
class PayoutReport:
    """What the assignment is told before a payout has ended."""

    state: State


@dataclass(frozen=True)
class PayoutResult:
    """How a payout ended."""

    state: State
