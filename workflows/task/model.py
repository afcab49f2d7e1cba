"""A published task, its transitions and its commands. Pure data; the rules are in `rules`.

A task's history is numbered from its publishing, which is transition 1.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from workflows.assignment.model import Terms


class State(StrEnum):
    OPEN = "OPEN"
    SELECTING = "SELECTING"
    IN_PROGRESS = "IN_PROGRESS"
    CLOSED = "CLOSED"
    CANCELLED = "CANCELLED"
    UNFILLED = "UNFILLED"


class Event(StrEnum):
    """What can happen to a task."""

    PUBLISHED = "PUBLISHED"
    APPLICATIONS_CLOSED = "APPLICATIONS_CLOSED"
    CREATORS_SELECTED = "CREATORS_SELECTED"
    SELECTION_ENDED = "SELECTION_ENDED"
    UNFILLED = "UNFILLED"
    CANCELLED = "CANCELLED"
    CLOSED = "CLOSED"


@dataclass(frozen=True)
class Transition:
    """One event of a task. `sequence` has no gaps; `from_state` is None for a draft;
    `application_ids` are those that were selected by it."""

    sequence: int
    event: Event
    from_state: State | None
    to_state: State
    actor: str
    comment: str
    time: datetime
    application_ids: list[str] = field(default_factory=list)


# Publishing is the first transition, which the tasks service records itself.
PUBLISHED_SEQUENCE = 1


@dataclass(frozen=True)
class Selection:
    """One selected application; the assignment gets the application's id."""

    application_id: str
    creator_id: str


@dataclass(frozen=True)
class Selected(Selection):
    select_time: datetime


@dataclass(frozen=True)
class SelectApplications:
    actor: str
    selections: list[Selection]


@dataclass(frozen=True)
class CancelTask:
    actor: str
    comment: str


@dataclass(frozen=True)
class EndSelection:
    actor: str
    comment: str


@dataclass(frozen=True)
class PublishedTask:
    """A task as it was published; it does not change."""

    id: str
    terms: Terms
    creator_slots: int
    application_deadline_time: datetime
    selection_deadline_time: datetime


@dataclass
class Task:
    published: PublishedTask
    state: State = State.OPEN
    # Claimed while their rewards are being reserved, selected after that.
    claimed: list[Selection] = field(default_factory=list)
    selected: list[Selected] = field(default_factory=list)
    ended_count: int = 0
    # Transitions since it was published.
    transitions: list[Transition] = field(default_factory=list)

    @property
    def name(self) -> str:
        return f"tasks/{self.published.id}"

    @property
    def brand(self) -> str:
        return f"brands/{self.published.terms.brand_id}"

    @property
    def sequence(self) -> int:
        """Number of the latest transition."""
        return PUBLISHED_SEQUENCE + len(self.transitions)

    @property
    def cancellation(self) -> Transition | None:
        """The transition that cancelled it, if there is one."""
        return next((one for one in self.transitions if one.event is Event.CANCELLED), None)

    @property
    def selected_ids(self) -> list[str]:
        return [selection.application_id for selection in self.selected]

    @property
    def free_slots(self) -> int:
        return self.published.creator_slots - len(self.selected) - len(self.claimed)
