"""The SQL that reads assignments. `recording.store` writes them."""

from typing import LiteralString

from servicekit.batching import Batcher
from servicekit.pagination import Page
from servicekit.postgres.database import Database
from services.tasks.assignments.domain import AssignmentFilter, AssignmentRecord

_ROWS: LiteralString = "SELECT * FROM assignment WHERE true"
_NEWEST_FIRST: LiteralString = " ORDER BY create_time DESC, id DESC LIMIT %(size)s"
_OF_EACH_STATE: LiteralString = (
    "SELECT found.* FROM unnest(%(states)s::text[]) AS wanted (state) CROSS JOIN LATERAL "
)


class AssignmentStore:
    """Read model of assignments, written by workflow activities."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._reads = Batcher(self._assignments, bypass=database.is_in_transaction)

    async def assignment(self, assignment_id: str) -> AssignmentRecord | None:
        return await self._reads.submit(assignment_id)

    async def _assignments(self, ids: list[str]) -> list[AssignmentRecord | None]:
        rows = await self._database.fetch_all("SELECT * FROM assignment WHERE id = ANY(%s)", (ids,))
        found = {row["id"]: AssignmentRecord(**row) for row in rows}
        return [found.get(id_) for id_ in ids]

    async def list_assignments(
        self, wanted: AssignmentFilter, page: Page
    ) -> list[AssignmentRecord]:
        rows = await self._database.fetch_all(*page_query(wanted, page))
        return [AssignmentRecord(**row) for row in rows]


def page_query(wanted: AssignmentFilter, page: Page) -> tuple[LiteralString, dict[str, object]]:
    """The statement that fetches a page, newest first, and its parameters.

    Only the filters that are set become conditions, so that each common combination has an index in
    its order: the cost of a page does not depend on the number of assignments. No index has the
    rows of several states in order, so the newest of each state are merged.
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
