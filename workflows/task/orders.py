"""What the task's workflow orders its activities to do."""

from dataclasses import dataclass

from workflows.assignment.orders import StartAssignment
from workflows.task.state import Selection, State


@dataclass(frozen=True)
class RecordTask:
    """`new_assignments` are those that follow from the latest selection."""

    task_id: str
    sequence: int
    state: State
    selected_ids: list[str]
    new_assignments: list[StartAssignment]


@dataclass(frozen=True)
class ReserveRewards:
    brand_id: str
    currency: str
    amount_minor: int
    selections: list[Selection]


@dataclass(frozen=True)
class LapseApplications:
    """`comment` is the brand's when it cancelled, else empty."""

    task_id: str
    title: str
    comment: str
    selected_ids: list[str]
