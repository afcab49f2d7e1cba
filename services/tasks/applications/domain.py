"""Applications. Pure."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class ApplicationState(StrEnum):
    APPLIED = "APPLIED"
    WITHDRAWN = "WITHDRAWN"
    SELECTED = "SELECTED"
    LAPSED = "LAPSED"


@dataclass(frozen=True)
class Application:
    """If it is selected, the assignment has the same id."""

    id: str
    task_id: str
    creator_id: str
    message: str
    create_time: datetime
    update_time: datetime
    state: ApplicationState = ApplicationState.APPLIED

    @property
    def name(self) -> str:
        return f"tasks/{self.task_id}/applications/{self.id}"
