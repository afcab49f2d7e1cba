"""An assignment and its transitions. Pure data, shared by the workflow, the service and the
messages; its commands are in `commands`, its rules in `rules`."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

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
    OPERATOR = "OPERATOR"


class Funding(StrEnum):
    ESCROW = "ESCROW"
    ON_APPROVAL = "ON_APPROVAL"


class Fault(StrEnum):
    """The side that is at fault for an expired assignment."""

    CREATOR = "CREATOR"
    BRAND = "BRAND"


class ProposalKind(StrEnum):
    EXTENSION = "EXTENSION"
    AMENDMENT = "AMENDMENT"
    CANCELLATION = "CANCELLATION"
    EARLY_SHIPMENT = "EARLY_SHIPMENT"


class ProposalState(StrEnum):
    PENDING = "PENDING"
    ACCEPTED = "ACCEPTED"
    DECLINED = "DECLINED"
    WITHDRAWN = "WITHDRAWN"
    LAPSED = "LAPSED"


class Action(StrEnum):
    """What an operator can do to an assignment that is waiting."""

    MOVE_CLOCK = "MOVE_CLOCK"
    APPROVE = "APPROVE"
    RETURN_TO_REVIEW = "RETURN_TO_REVIEW"
    EXPIRE = "EXPIRE"
    REOPEN = "REOPEN"
    CANCEL = "CANCEL"
    RETRY_REWARD = "RETRY_REWARD"
    COMPLETE = "COMPLETE"
    CLOSE = "CLOSE"


class Holder(StrEnum):
    """What holds a clock."""

    DISPUTE = "DISPUTE"
    MISSED_SHIPMENT = "MISSED_SHIPMENT"


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
    PAYOUT_ESCALATED = "PAYOUT_ESCALATED"
    REWARD_SENT = "REWARD_SENT"
    REWARD_UNCLAIMED = "REWARD_UNCLAIMED"
    REWARD_WRITTEN_OFF = "REWARD_WRITTEN_OFF"
    COMPLETED = "COMPLETED"
    EXPIRED = "EXPIRED"
    EXPIRY_COMMENTED = "EXPIRY_COMMENTED"
    REOPENED = "REOPENED"
    CANCELLED = "CANCELLED"
    CLOSED = "CLOSED"
    PROPOSAL_MADE = "PROPOSAL_MADE"
    PROPOSAL_ACCEPTED = "PROPOSAL_ACCEPTED"
    PROPOSAL_DECLINED = "PROPOSAL_DECLINED"
    PROPOSAL_WITHDRAWN = "PROPOSAL_WITHDRAWN"
    SHIPMENT_MISSED = "SHIPMENT_MISSED"
    PRODUCT_SHIPPED = "PRODUCT_SHIPPED"
    PRODUCT_RECEIVED = "PRODUCT_RECEIVED"
    CLOCK_MOVED = "CLOCK_MOVED"
    REWARD_RETRIED = "REWARD_RETRIED"
    DISPUTE_OPENED = "DISPUTE_OPENED"
    DISPUTE_RESOLVED = "DISPUTE_RESOLVED"
    DISPUTE_WITHDRAWN = "DISPUTE_WITHDRAWN"
    DECISION_OVERTAKEN = "DECISION_OVERTAKEN"


@dataclass
class Clock:
    """A clock: running, or held since `held_time`."""

    kind: ClockKind
    due_time: datetime
    reminder_times: list[datetime] = field(default_factory=list)
    held_time: datetime | None = None
    holders: list[Holder] = field(default_factory=list)

    @property
    def next_time(self) -> datetime | None:
        """The next reminder or the due time; None while it is held."""
        if self.held_time is not None:
            return None
        return self.reminder_times[0] if self.reminder_times else self.due_time

    def due_from(self, now: datetime) -> datetime:
        """The due time if a hold ended now."""
        return self.due_time if self.held_time is None else self.due_time + (now - self.held_time)

    def hold(self, holder: Holder, now: datetime) -> None:
        if not self.holders:
            self.held_time = now
        self.holders.append(holder)

    def run_on(self, holder: Holder, now: datetime) -> None:
        """Ends one hold. After the last one, all times move by the length of the pause."""
        if holder not in self.holders:
            return
        self.holders.remove(holder)
        if self.held_time is not None and not self.holders:
            pause = now - self.held_time
            self.due_time += pause
            self.reminder_times = [time + pause for time in self.reminder_times]
            self.held_time = None

    def move(self, due_time: datetime, now: datetime) -> None:
        """Sets another due time. A held clock keeps that much time from now on."""
        self.due_time = due_time
        self.reminder_times = [time for time in self.reminder_times if time < due_time]
        if self.held_time is not None:
            self.held_time = now


@dataclass(frozen=True)
class Requirement:
    id: str
    text: str


@dataclass(frozen=True)
class Terms:
    """The published terms, the same for every assignment of a task. The reward is money or a
    product; for a product `currency` is empty and `reward_minor` is 0."""

    task_id: str
    brand_id: str
    requirements: list[Requirement]
    currency: str
    reward_minor: int
    funding: Funding
    submission_deadline_time: datetime
    policy: Policy
    title: str = ""
    content_types: list[str] = field(default_factory=list)
    # ALL or ANY.
    completion_rule: str = "ALL"
    product_title: str = ""
    product_link: str = ""

    @property
    def is_escrowed(self) -> bool:
        """Whether the reward is reserved when a creator is selected."""
        return self.funding is Funding.ESCROW and self.reward_minor > 0


@dataclass(frozen=True)
class Submission:
    version: int
    note: str
    media_object_ids: list[str]
    links: list[str]
    submit_time: datetime
    article_ids: list[str] = field(default_factory=list)
    content_types: list[str] = field(default_factory=list)
    # The articles as they were delivered, `articles/{article}/revisions/{revision}`.
    article_revisions: list[str] = field(default_factory=list)


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


@dataclass
class Proposal:
    """A change that binds only when the other side accepts. `deadline_time` is the new deadline of
    an extension or the date of an early shipment; `requirements` are those of an amendment."""

    number: int
    kind: ProposalKind
    proposer: str
    reason: str
    create_time: datetime
    deadline_time: datetime | None = None
    requirements: list[Requirement] = field(default_factory=list)
    state: ProposalState = ProposalState.PENDING
    answer_time: datetime | None = None


@dataclass
class Shipment:
    """A shipped product. A mediator may order another one; then `is_replaced`."""

    carrier: str
    tracking_number: str
    ship_time: datetime
    receive_time: datetime | None = None
    is_replaced: bool = False


@dataclass(frozen=True)
class Transition:
    """One event of an assignment. `sequence` has no gaps."""

    sequence: int
    event: Event
    from_state: State | None
    to_state: State
    actor: str
    comment: str
    time: datetime


@dataclass(frozen=True)
class PublishArticles:
    """Order to publish approved articles, `articles/{article}/revisions/{revision}`."""

    article_revisions: list[str]
    approve_time: datetime


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
    # When it is due at first, however often an attempt to send it fails.
    reward_due_time: datetime | None = None
    reward_is_overdue: bool = False
    open_dispute_id: str = ""
    open_dispute_actor: str = ""
    # How many each side has opened.
    dispute_counts: dict[str, int] = field(default_factory=dict)
    expiry_comment: ExpiryComment | None = None
    sequence: int = 0
    requirements: list[Requirement] = field(default_factory=list)
    proposals: list[Proposal] = field(default_factory=list)
    # When both accepted that a product is sent before completion, and whether that was missed.
    shipment_due_time: datetime | None = None
    shipment_is_missed: bool = False
    shipments: list[Shipment] = field(default_factory=list)
    fault: Fault | None = None

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
    def is_for_product(self) -> bool:
        return bool(self.terms.product_title)

    @property
    def shipment(self) -> Shipment | None:
        """The latest shipment that was not replaced."""
        return next((one for one in reversed(self.shipments) if not one.is_replaced), None)

    @property
    def has_payout(self) -> bool:
        return self.payable_minor > 0

    @property
    def payout_is_held(self) -> bool:
        """A brand's dispute holds a payout that is not sent yet; a creator's never does."""
        return self.open_dispute_actor == self.brand
