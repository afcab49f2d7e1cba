"""Inputs and results of the assignment workflow and its activities."""

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
    """The assignment as it stands, the transitions that led there, the notices to send, and the
    articles to publish."""

    assignment: Assignment
    transitions: list[Transition]
    notices: list[Notice] = field(default_factory=list)
    publication: PublishArticles | None = None


@dataclass(frozen=True)
class Pending:
    """Notices and publication orders that could not be sent yet; the workflow retries them."""

    notices: list[Notice] = field(default_factory=list)
    publication: PublishArticles | None = None


@dataclass(frozen=True)
class SettleReward:
    """The amount that a mediator leaves of a reward; 0 releases it."""

    payout_id: str
    currency: str
    amount_minor: int


@dataclass(frozen=True)
class AssignmentResult:
    state: State
