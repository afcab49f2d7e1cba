"""Inputs of the task workflow's activities."""

from dataclasses import dataclass, field

from workflows.assignment.inputs import StartAssignment
from workflows.task.model import Selection, State, Transition


@dataclass(frozen=True)
class RecordTask:
    """`sequence` and `state` are the latest; `transitions` are those that led there since the last
    order, and `new_assignments` what follows from them."""

    task_id: str
    sequence: int
    state: State
    selected_ids: list[str]
    new_assignments: list[StartAssignment]
    transitions: list[Transition] = field(default_factory=list)


@dataclass(frozen=True)
class ReserveRewards:
    brand_id: str
    currency: str
    amount_minor: int
    selections: list[Selection]


@dataclass(frozen=True)
class LapseApplications:
    """`comment` is the reason of a cancellation, otherwise empty."""

    task_id: str
    title: str
    comment: str
    selected_ids: list[str]
