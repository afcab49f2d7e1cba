"""Reasons for refusal that several commands share."""

from datetime import datetime

from servicekit.errors import Reason
from tests.model.reference.state import AssignmentState
from workflows.assignment.model import (
    State,
)

ILLEGAL = {Reason.ILLEGAL_STATE}
LEGAL: set[Reason] = set()


def refuse_unless(a: AssignmentState, *states: State) -> set[Reason]:
    """Sides act in these states only, before the clock is due and while no dispute is open."""
    fits = a.state in states and a.dispute is None and not a.is_late
    return LEGAL if fits else ILLEGAL


def refuse_past(a: AssignmentState, date: datetime | None) -> set[Reason]:
    return LEGAL if date is not None and date > a.now else {Reason.DEADLINE_NOT_LATER}
