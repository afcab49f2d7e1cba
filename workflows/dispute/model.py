"""A dispute, its decision, its changes and its commands. Pure data; the rules are in `rules`.

What a decision does to the assignment is in `workflows.assignment.rules.disputes`.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from workflows.notices import Notice


class State(StrEnum):
    OPEN = "OPEN"
    UNDER_REVIEW = "UNDER_REVIEW"
    RESOLVED = "RESOLVED"
    WITHDRAWN = "WITHDRAWN"


class Ground(StrEnum):
    LATE_REWARD = "LATE_REWARD"
    WRONG_PRODUCT = "WRONG_PRODUCT"
    UNFAIR_CHANGE_REQUEST = "UNFAIR_CHANGE_REQUEST"
    MATERIALS_NOT_PROVIDED = "MATERIALS_NOT_PROVIDED"
    WORK_DOES_NOT_CONFORM = "WORK_DOES_NOT_CONFORM"
    FRAUD = "FRAUD"
    REVIEW_SILENCE = "REVIEW_SILENCE"


CREATOR_GROUNDS = frozenset(
    {
        Ground.LATE_REWARD,
        Ground.WRONG_PRODUCT,
        Ground.UNFAIR_CHANGE_REQUEST,
        Ground.MATERIALS_NOT_PROVIDED,
    }
)
BRAND_GROUNDS = frozenset({Ground.WORK_DOES_NOT_CONFORM, Ground.FRAUD})


class Outcome(StrEnum):
    PAY_IN_FULL = "PAY_IN_FULL"
    PAY_PARTIAL = "PAY_PARTIAL"
    REDO = "REDO"
    CANCEL_WITHOUT_PAY = "CANCEL_WITHOUT_PAY"
    DISMISS = "DISMISS"


class Clock(StrEnum):
    """The clocks of a dispute; each fires once."""

    ANSWER_DUE = "ANSWER_DUE"
    FIRST_REMINDER = "FIRST_REMINDER"
    LAST_REMINDER = "LAST_REMINDER"
    RESOLUTION_DUE = "RESOLUTION_DUE"


class Event(StrEnum):
    """What can happen to a dispute."""

    OPENED = "OPENED"
    CLAIMED = "CLAIMED"
    DECIDED = "DECIDED"
    WITHDRAWN = "WITHDRAWN"
    ANSWER_DUE = "ANSWER_DUE"
    REMINDED = "REMINDED"
    OVERDUE = "OVERDUE"


@dataclass
class Decision:
    """`amount_minor` belongs to PAY_PARTIAL and `deadline_time` to REDO, and to nothing else."""

    outcome: Outcome
    reasoning: str
    decide_time: datetime | None = None
    amount_minor: int | None = None
    deadline_time: datetime | None = None
    # ISO 4217, along with `amount_minor`.
    amount_currency: str | None = None


@dataclass
class Dispute:
    """`opener` and `mediator` are actors such as `creators/b` and `staff/mia`."""

    id: str
    assignment_id: str
    brand_id: str
    creator_id: str
    opener: str
    ground: Ground
    statement: str
    create_time: datetime
    resolution_due_time: datetime
    answer_due_time: datetime
    allowed_outcomes: list[Outcome]
    # Upper bound of a partial payment; 0 for a product.
    reward_currency: str = ""
    reward_minor: int = 0
    state: State = State.OPEN
    mediator: str = ""
    decision: Decision | None = None
    is_overdue: bool = False
    sequence: int = 1
    # None until the first change after opening.
    update_time: datetime | None = None

    @property
    def name(self) -> str:
        return f"disputes/{self.id}"

    @property
    def is_closed(self) -> bool:
        return self.state in (State.RESOLVED, State.WITHDRAWN)


@dataclass
class DisputeResult:
    """Result of a dispute; without a decision it was withdrawn."""

    decision: Decision | None = None
    # Who decided, such as `staff/mia`.
    mediator: str = ""
    # Notices that could not be sent yet; the assignment sends them.
    pending: list[Notice] = field(default_factory=list)


@dataclass
class Change:
    """An event, and the dispute after it."""

    event: Event
    dispute: Dispute


@dataclass
class Claim:
    mediator: str


@dataclass
class Decide:
    mediator: str
    decision: Decision


@dataclass
class Withdraw:
    actor: str
