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


# An attempt may start.
TO_BE_SENT = frozenset({State.RESERVED, State.FAILED})
# A retry can be requested.
WAITING = TO_BE_SENT | {State.UNCLAIMED}
# Nothing will be paid any more.
CLOSED = frozenset({State.RELEASED, State.WRITTEN_OFF})
ENDED = CLOSED | {State.PAID}


@dataclass(frozen=True)
class PayoutChanged:
    """Signal: the payouts service posted a change of the latest attempt."""

    state: str
    attempt: int


@dataclass
class Progress:
    """State of the workflow, passed to the next run when the history grows long."""

    state: State
    # Number of the latest attempt; 0 before the first.
    attempt: int
    # Time of the last change of `state`.
    since: datetime
    # Reports that the assignment has received, each once per attempt.
    reported: list[str] = field(default_factory=list)

    def move(self, state: State, now: datetime) -> None:
        if state is not self.state:
            self.state, self.since = state, now

    def apply(self, change: PayoutChanged, now: datetime) -> None:
        """Applies a change; ignores one of an earlier attempt unless it ends the payout."""
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
    """A reward that is due. `reserved_minor` is None if it is not reserved yet."""

    payout_id: str
    brand_id: str
    creator_id: str
    currency: str
    amount_minor: int
    reserved_minor: int | None
    retry_interval: Span
    is_held: bool = False
    # Unclaimed money is recalled after this.
    claim_window: Span = CLAIM_WINDOW
    # An attempt that has no outcome after this is escalated to operators.
    escalation_window: Span = REWARD_WINDOW
    # An earlier workflow of this payout has ended: this one continues from the recorded status,
    # and sends at once.
    is_restarted: bool = False
    progress: Progress | None = None


@dataclass(frozen=True)
class PayoutStatus:
    """Recorded status of a payout. `amount_minor` is the reserved amount; None if there is none."""

    state: State
    attempt: int
    amount_minor: int | None


@dataclass(frozen=True)
class SendPayout:
    """One attempt, counted from 1."""

    payout_id: str
    attempt: int


@dataclass(frozen=True)
class RecallPayout:
    """The unclaimed attempt to recall."""

    payout_id: str
    attempt: int


# The signal by which a payout reports to its assignment; by name, since the assignment's workflow
# imports the payout's.
PAYOUT_REPORTED = "payout_reported"


@dataclass(frozen=True)
class PayoutReport:
    """Signal to the assignment before the payout has ended."""

    state: State
    # When unclaimed money is recalled.
    recall_time: datetime | None = None
    # It takes too long: an operator must act.
    is_escalated: bool = False


@dataclass(frozen=True)
class PayoutResult:
    """The final state of a payout."""

    state: State
