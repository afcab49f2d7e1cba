"""What the assignment's workflow is started with, and what it orders its activities to do."""

from dataclasses import dataclass, field
from datetime import datetime

from workflows.assignment.model import Assignment, PublishArticles, State, Terms, Transition
from workflows.notices import Notice


@dataclass(frozen=True)
class StartAssignment:
    id: str
    creator_id: str
    terms: Terms
    select_time: datetime


@dataclass(frozen=True)
class RecordAssignment:
    """The assignment as it stands, the transitions that led there, whom to tell, and what
    to publish."""

    assignment: Assignment
    transitions: list[Transition]
    notices: list[Notice] = field(default_factory=list)
    publication: PublishArticles | None = None


@dataclass(frozen=True)
class Pending:
    """What could not be told or published yet, for another try."""

    notices: list[Notice] = field(default_factory=list)
    publication: PublishArticles | None = None


@dataclass(frozen=True)
class SettleReward:
    """What a mediator leaves of a reward; 0 for nothing."""

    payout_id: str
    currency: str
    amount_minor: int


@dataclass(frozen=True)
class AssignmentResult:
    state: State
