"""An assignment and what is said about it: plain data that the workflow, the service and the wire
share. The rules are in `state`."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from workflows.dispute.state import Ground
from workflows.policy import Policy

SYSTEM = "system"


class State(StrEnum):
    IN_PROGRESS = "IN_PROGRESS"
    IN_REVIEW = "IN_REVIEW"
    CHANGES_REQUESTED = "CHANGES_REQUESTED"
    APPROVED = "APPROVED"
    REWARDED = "REWARDED"
    COMPLETED = "COMPLETED"
    EXPIRED = "EXPIRED"
    CANCELLED = "CANCELLED"


class ClockKind(StrEnum):
    SUBMISSION = "SUBMISSION"
    REVIEW = "REVIEW"
    REWORK = "REWORK"
    REWARD = "REWARD"
    COMPLETION = "COMPLETION"
    REOPEN = "REOPEN"
    DISPUTE_WINDOW = "DISPUTE_WINDOW"


class ConfirmedBy(StrEnum):
    BRAND = "BRAND"
    SYSTEM = "SYSTEM"
    MEDIATOR = "MEDIATOR"


class Funding(StrEnum):
    ESCROW = "ESCROW"
    ON_APPROVAL = "ON_APPROVAL"


class Event(StrEnum):
    """What can happen to an assignment."""

    CREATOR_SELECTED = "CREATOR_SELECTED"
    WORK_SUBMITTED = "WORK_SUBMITTED"
    REVIEW_REMINDED = "REVIEW_REMINDED"
    CHANGES_REQUESTED = "CHANGES_REQUESTED"
    REWORK_LAPSED = "REWORK_LAPSED"
    WORK_APPROVED = "WORK_APPROVED"
    REWARD_OVERDUE = "REWARD_OVERDUE"
    PAYOUT_FAILED = "PAYOUT_FAILED"
    REWARD_SENT = "REWARD_SENT"
    COMPLETED = "COMPLETED"
    EXPIRED = "EXPIRED"
    EXPIRY_COMMENTED = "EXPIRY_COMMENTED"
    DISPUTE_OPENED = "DISPUTE_OPENED"
    DISPUTE_RESOLVED = "DISPUTE_RESOLVED"
    DISPUTE_WITHDRAWN = "DISPUTE_WITHDRAWN"


@dataclass
class Clock:
    """A running clock, or a held one: then it stands still since `held_time`."""

    kind: ClockKind
    due_time: datetime
    reminder_times: list[datetime] = field(default_factory=list)
    held_time: datetime | None = None

    @property
    def next_time(self) -> datetime | None:
        """When something happens next, if the clock is left to run."""
        if self.held_time is not None:
            return None
        return self.reminder_times[0] if self.reminder_times else self.due_time

    def hold(self, now: datetime) -> None:
        self.held_time = now

    def run_on(self, now: datetime) -> None:
        if self.held_time is not None:
            pause = now - self.held_time
            self.due_time += pause
            self.reminder_times = [time + pause for time in self.reminder_times]
            self.held_time = None


@dataclass(frozen=True)
class Requirement:
    id: str
    text: str


@dataclass(frozen=True)
class Terms:
    """What was published, for every assignment of a task alike."""

    task_id: str
    brand_id: str
    requirements: list[Requirement]
    currency: str
    reward_minor: int
    funding: Funding
    submission_deadline_time: datetime
    policy: Policy


@dataclass(frozen=True)
class Submission:
    version: int
    note: str
    media_object_ids: list[str]
    links: list[str]
    submit_time: datetime


@dataclass(frozen=True)
class ChangeRequest:
    round: int
    comment: str
    requirement_ids: list[str]
    request_time: datetime


@dataclass(frozen=True)
class ExpiryComment:
    reason: str
    comment: str
    create_time: datetime


@dataclass(frozen=True)
class Transition:
    """One thing that happened. `sequence` has no gaps."""

    sequence: int
    event: Event
    from_state: State | None
    to_state: State
    actor: str
    comment: str
    time: datetime


# The commands, as callers send them; the workflow adds the time.


@dataclass(frozen=True)
class SubmitWork:
    actor: str
    note: str
    media_object_ids: list[str]
    links: list[str]


@dataclass(frozen=True)
class RequestChanges:
    actor: str
    comment: str
    requirement_ids: list[str]


@dataclass(frozen=True)
class ApproveWork:
    actor: str


@dataclass(frozen=True)
class CommentOnExpiry:
    actor: str
    reason: str
    comment: str


@dataclass(frozen=True)
class OpenDispute:
    dispute_id: str
    ground: Ground
    statement: str
    opener: str


@dataclass
class Assignment:
    id: str
    creator_id: str
    terms: Terms
    create_time: datetime
    update_time: datetime
    state: State = State.IN_PROGRESS
    submission_deadline_time: datetime | None = None
    clock: Clock | None = None
    submissions: list[Submission] = field(default_factory=list)
    change_requests: list[ChangeRequest] = field(default_factory=list)
    confirmed_by: ConfirmedBy | None = None
    payable_minor: int = 0  # set on approval; a mediator may have lowered the reward
    reward_is_overdue: bool = False
    open_dispute_id: str = ""
    open_dispute_actor: str = ""
    expiry_comment: ExpiryComment | None = None
    sequence: int = 0

    @property
    def name(self) -> str:
        return f"assignments/{self.id}"

    @property
    def brand(self) -> str:
        return f"brands/{self.terms.brand_id}"

    @property
    def creator(self) -> str:
        return f"creators/{self.creator_id}"

    @property
    def policy(self) -> Policy:
        return self.terms.policy

    @property
    def has_payout(self) -> bool:
        return self.payable_minor > 0

    @property
    def payout_is_held(self) -> bool:
        """A brand's dispute holds a payout that is not sent yet; a creator's never does."""
        return self.open_dispute_actor == self.brand
