"""What a payout's workflow is told and tells: pure. The money itself is the payouts service's."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from workflows.policy import CLAIM_WINDOW, REWARD_WINDOW, Span


class State(StrEnum):
    """Where the money is; see liaison.payouts.v1.Payout.State."""

    RESERVED = "RESERVED"
    SENDING = "SENDING"
    SENT = "SENT"
    PAID = "PAID"
    FAILED = "FAILED"
    RELEASED = "RELEASED"
    UNCLAIMED = "UNCLAIMED"
    BLOCKED = "BLOCKED"
    WRITTEN_OFF = "WRITTEN_OFF"


@dataclass(frozen=True)
class PayoutChanged:
    """The payouts service has booked something new about the latest attempt."""

    state: str
    attempt: int


@dataclass(frozen=True)
class Progress:
    """How far a payout has come, for the run that goes on where one with a long history ends."""

    state: State
    attempt: int
    # Since when it is so; see `escalation_window` and `claim_window`.
    since: datetime
    told: list[str] = field(default_factory=list)


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
    # What nobody claims is taken back after this.
    claim_window: Span = CLAIM_WINDOW
    # An attempt that comes to no end in this time is an operator's to look into.
    escalation_window: Span = REWARD_WINDOW
    # How many were made before a payout whose money came back is started again: the next one
    # begins at once.
    attempts_made: int = 0
    progress: Progress | None = None


@dataclass(frozen=True)
class SendPayout:
    """One attempt; 1 is the first."""

    payout_id: str
    attempt: int


@dataclass(frozen=True)
class RecallPayout:
    """The attempt that nobody has claimed."""

    payout_id: str
    attempt: int


@dataclass(frozen=True)
class PayoutReport:
    """What the assignment is told before a payout has ended."""

    state: State
    # Of what is unclaimed: when it is taken back.
    recall_time: datetime | None = None
    # It has been so for too long: an operator must look into it.
    is_escalated: bool = False


@dataclass(frozen=True)
class PayoutResult:
    """How a payout ended."""

    state: State
