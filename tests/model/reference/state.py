"""State of the reference model of an assignment, with what can be read from it."""

from dataclasses import dataclass, field
from datetime import datetime

from tests.model.reference.clock import ReferenceClock
from workflows.assignment.model import (
    ClockKind,
    ConfirmedBy,
    Event,
    Fault,
    ProposalKind,
    ProposalState,
    State,
    Terms,
)
from workflows.dispute.model import Ground, Outcome

BRAND, CREATOR, MEDIATOR, OPERATOR, SYSTEM = (
    "brands/acme",
    "creators/bea",
    "staff/mia",
    "staff/olga",
    "system",
)
OPEN_WORK = {State.IN_PROGRESS, State.CHANGES_REQUESTED}
UNCONFIRMED = OPEN_WORK | {State.IN_REVIEW}
# The states in which each kind of proposal can be made and answered.
PROPOSABLE = {
    ProposalKind.EXTENSION: OPEN_WORK,
    ProposalKind.EARLY_SHIPMENT: OPEN_WORK,
    ProposalKind.AMENDMENT: UNCONFIRMED,
    ProposalKind.CANCELLATION: UNCONFIRMED,
}
FREEZABLE = {ClockKind.SUBMISSION, ClockKind.REVIEW, ClockKind.REWORK}
CREATORS_OWN = {ClockKind.SUBMISSION, ClockKind.REWORK}
# Each side's limit of proposals, and of disputes.
MAXIMUM_PER_SIDE = 10


@dataclass
class ReferenceProposal:
    kind: ProposalKind
    proposer: str
    date: datetime | None
    texts: list[str]
    state: ProposalState = ProposalState.PENDING
    ids: list[str] = field(default_factory=list)


@dataclass
class ReferenceDispute:
    ground: Ground
    opener: str
    outcomes: set[Outcome]
    # The full reward, which a partial payment must stay under.
    reward_minor: int
    mediator: str = ""


@dataclass(frozen=True)
class ExpectedTransition:
    event: Event
    from_state: State | None
    to_state: State
    actor: str
    time: datetime


class AssignmentState:
    def __init__(self, terms: Terms, now: datetime) -> None:
        self.terms, self.now = terms, now
        self.state = State.IN_PROGRESS
        self.deadline = terms.submission_deadline_time
        self.clock: ReferenceClock | None = ReferenceClock(ClockKind.SUBMISSION, now, self.deadline)
        self.first_reward_due = now
        self.versions = 0
        self.rounds = 0
        self.requirements = {one.text: one.id for one in terms.requirements}
        self.last_requirement = len(terms.requirements)
        self.confirmed_by: ConfirmedBy | None = None
        self.payable_minor = 0
        self.is_overdue = False
        self.dispute: ReferenceDispute | None = None
        self.fault: Fault | None = None
        self.has_commented = False
        self.proposals: list[ReferenceProposal] = []
        self.agreed_shipment: datetime | None = None
        self.is_missed = False
        # For each product: [is received, is replaced].
        self.products: list[list[bool]] = []
        self.history: list[ExpectedTransition] = []

    @property
    def is_for_product(self) -> bool:
        return bool(self.terms.product_title)

    @property
    def is_over(self) -> bool:
        ended = {State.COMPLETED, State.EXPIRED, State.CANCELLED}
        return self.state in ended and self.clock is None and self.dispute is None

    @property
    def product(self) -> list[bool] | None:
        """The last product that was not replaced."""
        return next((one for one in reversed(self.products) if not one[1]), None)

    @property
    def is_late(self) -> bool:
        return self.clock is not None and self.clock.is_due(self.now)

    def next_time(self) -> datetime | None:
        times = (self.clock.next_time if self.clock else None, self.shipment_time())
        return min((time for time in times if time is not None), default=None)

    def pending(self) -> list[int]:
        return [
            number
            for number, one in enumerate(self.proposals, 1)
            if one.state is ProposalState.PENDING
        ]

    def shipment_time(self) -> datetime | None:
        """When the agreed shipment date will be missed, or None."""
        waits = self.state in UNCONFIRMED and not self.products and not self.is_missed
        return self.agreed_shipment if waits else None
