"""Input, progress, signals and result of the payout workflow. Pure data.

The payouts service owns the money.
"""

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


# An attempt may begin.
TO_BE_SENT = frozenset({State.RESERVED, State.FAILED})
# Somebody may want it paid now.
WAITING = TO_BE_SENT | {State.UNCLAIMED}
# Whatever was under way, nothing is paid any more.
CLOSED = frozenset({State.RELEASED, State.WRITTEN_OFF})
ENDED = CLOSED | {State.PAID}


@dataclass(frozen=True)
class PayoutChanged:
    """The payouts service has booked something new about the latest attempt."""

    state: str
    attempt: int


@dataclass
class Progress:
    """How far a payout has come. A run whose history has grown long hands it to the next one."""

    state: State
    # The latest one; 0 before the first.
    attempt: int
    # Since when it is in this state.
    since: datetime
    # Reports that the assignment has received, each once per attempt.
    reported: list[str] = field(default_factory=list)

    def move(self, state: State, now: datetime) -> None:
        if state is not self.state:
            self.state, self.since = state, now

    def apply(self, change: PayoutChanged, now: datetime) -> None:
        """Of an earlier attempt it is no news, unless the payout as a whole has ended."""
        state = State(change.state)
        if change.attempt >= self.attempt or state in CLOSED:
            self.attempt = max(self.attempt, change.attempt)
            self.move(state, now)

    def is_new_report(self, report: "PayoutReport") -> bool:
        """Whether it was not reported of this attempt yet; from now on it counts as reported."""
        key = f"{self.attempt} {report.state}{' escalated' if report.is_escalated else ''}"
        if key in self.reported:
            return False
        self.reported.append(key)
        return True

    @property
    def is_escalated(self) -> bool:
        return f"{self.attempt} {self.state} escalated" in self.reported


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
    # Another workflow has led it before and has ended: this one finds out how far it came, and goes
    # on from there at once.
    is_restarted: bool = False
    progress: Progress | None = None


@dataclass(frozen=True)
class PayoutStatus:
    """How far a payout has come. `amount_minor` is what is set aside; None when nothing is."""

    state: State
    attempt: int
    amount_minor: int | None


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


# The signal by which a payout reports to its assignment; by name, since the assignment's workflow
# imports the payout's.
PAYOUT_REPORTED = "payout_reported"


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
