"""Selections in progress. Pure."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True)
class PendingSelection:
    """A selection whose applications are claimed and whose outcome is not known. `claim` is the id
    of the request, `attempt_time` when it was last sent to the task's workflow."""

    task_id: str
    claim: UUID
    actor: str
    application_ids: list[str]
    attempt_time: datetime
