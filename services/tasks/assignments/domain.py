"""Assignments as the read model holds them, and the categories that they are listed by. Pure."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from workflows.assignment.model import State


@dataclass(frozen=True)
class AssignmentRecord:
    """A row of the read model. `message` is the serialized liaison.tasks.v1.Assignment; the other
    fields are what it is found and authorized by."""

    id: str
    task_id: str
    brand_id: str
    creator_id: str
    state: str
    sequence: int
    create_time: datetime
    message: bytes
    reward_is_overdue: bool


class AssignmentCategory(StrEnum):
    TO_DO = "TO_DO"
    SUBMITTED = "SUBMITTED"
    COMPLETED = "COMPLETED"
    ENDED = "ENDED"


# Rewarded work counts as submitted until it is completed (R53, R54).
CATEGORIES = {
    AssignmentCategory.TO_DO: {State.IN_PROGRESS, State.CHANGES_REQUESTED},
    AssignmentCategory.SUBMITTED: {State.IN_REVIEW, State.APPROVED, State.REWARDED},
    AssignmentCategory.COMPLETED: {State.COMPLETED},
    AssignmentCategory.ENDED: {State.EXPIRED, State.CANCELLED},
}


@dataclass(frozen=True)
class AssignmentFilter:
    """None and False do not restrict. An empty `states` matches no assignment."""

    brand_id: str | None
    creator_id: str | None
    task_id: str | None
    states: tuple[str, ...] | None
    is_overdue: bool
