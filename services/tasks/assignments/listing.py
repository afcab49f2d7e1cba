"""Lists of assignments: which, and the SQL of a page of them.

Only what is asked for is in the statement, so that each common question has an index that answers
it in order: a page costs the same however many assignments there are.
"""

from dataclasses import dataclass
from typing import LiteralString

from servicekit.pagination import Page


@dataclass(frozen=True)
class AssignmentFilter:
    """What is None or False does not narrow; no states at all are those of no assignment."""

    brand_id: str | None
    creator_id: str | None
    task_id: str | None
    states: tuple[str, ...] | None
    is_overdue: bool


_ROWS: LiteralString = "SELECT * FROM assignment WHERE true"
_NEWEST_FIRST: LiteralString = " ORDER BY create_time DESC, id DESC LIMIT %(size)s"
_OF_EACH_STATE: LiteralString = (
    "SELECT found.* FROM unnest(%(states)s::text[]) AS wanted (state) CROSS JOIN LATERAL "
)


def listing(wanted: AssignmentFilter, page: Page) -> tuple[LiteralString, dict[str, object]]:
    """The statement and its parameters.

    No index has the rows of several states in order: the newest of each are merged.
    """
    conditions: list[tuple[bool, LiteralString]] = [
        (wanted.brand_id is not None, " AND brand_id = %(brand)s"),
        (wanted.creator_id is not None, " AND creator_id = %(creator)s"),
        (wanted.task_id is not None, " AND task_id = %(task)s"),
        (wanted.is_overdue, " AND reward_is_overdue"),
        (wanted.states is not None, " AND state = wanted.state"),
        (page.after is not None, " AND (create_time, id) < (%(time)s, %(id)s)"),
    ]
    narrowed: LiteralString = "".join(condition for is_set, condition in conditions if is_set)
    rows = _ROWS + narrowed + _NEWEST_FIRST
    if wanted.states is not None:
        rows = _OF_EACH_STATE + "(" + rows + ") AS found" + _NEWEST_FIRST
    return rows, {
        "brand": wanted.brand_id,
        "creator": wanted.creator_id,
        "task": wanted.task_id,
        "states": [str(state) for state in wanted.states or ()],
        **page.keyset,
    }
