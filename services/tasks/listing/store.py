"""The SQL of ListTasks.

Only the filters that are set become predicates, and the statement is planned for its parameters:
which index is best depends on how selective they are. Every index has the state as its leading
column (or after the brand), so the statement is a UNION ALL of one branch per state, each limited
to a page.
"""

from typing import LiteralString

from servicekit.pagination import Page
from servicekit.postgres.database import Database
from services.tasks.domain import State, Task
from services.tasks.listing.domain import Listing, Order
from services.tasks.store import SELECT_TASK, task_from_row

# The column, and whether it is descending.
_KEYS: dict[Order, tuple[LiteralString, bool]] = {
    Order.NEWEST: ("create_time", True),
    Order.OLDEST: ("create_time", False),
    Order.APPLICATION_DEADLINE: ("application_deadline_time", False),
    Order.SUBMISSION_DEADLINE: ("submission_deadline_time", False),
    Order.REWARD: ("reward_minor", True),
}

# Literals, because the planner matches partial indexes against constants, not parameters.
_STATES: dict[State, LiteralString] = {
    State.DRAFT: "'DRAFT'",
    State.OPEN: "'OPEN'",
    State.SELECTING: "'SELECTING'",
    State.IN_PROGRESS: "'IN_PROGRESS'",
    State.CLOSED: "'CLOSED'",
    State.CANCELLED: "'CANCELLED'",
    State.UNFILLED: "'UNFILLED'",
}


class ListingStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def list_tasks(self, listing: Listing, page: Page) -> list[Task]:
        sql, parameters = page_query(listing, page)
        rows = await self._database.fetch_all(sql, parameters, generic_plan=False)
        return [task_from_row(row) for row in rows]


def page_query(listing: Listing, page: Page) -> tuple[LiteralString, dict[str, object]]:
    """The statement that fetches a page of tasks, and its parameters."""
    key, is_descending = _KEYS[listing.order]
    direction: LiteralString = "DESC" if is_descending else "ASC"
    predicates = _predicates(listing)
    if page.after is not None:
        comparison: LiteralString = "<" if is_descending else ">"
        predicates.append(f"({key}, id) {comparison} (%(key)s, %(id)s)")
    branches: LiteralString = " UNION ALL ".join(
        _branch(
            key, direction, [f"state = {_STATES[state]}", *predicates, *_guards(state, listing)]
        )
        for state in listing.states
    )
    return (
        f"{SELECT_TASK} JOIN ({branches}) AS page USING (id)"
        f" ORDER BY key {direction}, id {direction} LIMIT %(size)s"
    ), _parameters(listing, page)


def _branch(
    key: LiteralString, direction: LiteralString, predicates: list[LiteralString]
) -> LiteralString:
    return f"""
        (SELECT id, {key} AS key FROM task WHERE {" AND ".join(predicates)}
          ORDER BY {key} {direction}, id {direction} LIMIT %(size)s)
    """  # noqa: S608 - of literals alone


def _predicates(listing: Listing) -> list[LiteralString]:
    values: dict[LiteralString, object] = {
        "brand_id = %(brand)s": listing.brand_id,
        "facets && %(any_facets)s::smallint[]": listing.any_facets or None,
        "facets @> %(all_facets)s::smallint[]": listing.all_facets or None,
        "search_vector @@ plainto_tsquery('simple', search_text(%(query)s))": listing.query or None,
        "currency = %(currency)s": listing.currency,
        "reward_minor >= %(minimum)s": listing.minimum_minor,
        "application_deadline_time > %(closes_after)s": listing.closes_after,
        _still_open(listing.order): listing.open_at,
        """
        NOT EXISTS (SELECT FROM application
                     WHERE task_id = task.id AND creator_id = %(applicant)s
                       AND application.state <> 'WITHDRAWN')
        """: listing.applicant_id,
    }
    return [predicate for predicate, value in values.items() if value is not None]


def _guards(state: State, listing: Listing) -> list[LiteralString]:
    """Skips a branch that has no task with a later application deadline, such as that of a finished
    state. The planner cannot know: without this the branch would scan all of its tasks and find
    none."""
    if listing.closes_after is None or listing.order is Order.APPLICATION_DEADLINE:
        return []
    return [
        f"""
        EXISTS (SELECT FROM task AS late WHERE late.state = {_STATES[state]}
                   AND late.application_deadline_time > %(closes_after)s)
        """
    ]


def _still_open(order: Order) -> LiteralString:
    """Nearly all open tasks match, so the condition is written in a form that no index serves, and
    is checked during the scan of the order's index. If that index is ordered by the deadline, the
    scan can start at it instead."""
    if order is Order.APPLICATION_DEADLINE:
        return "application_deadline_time > %(open_at)s"
    return "application_deadline_time - %(open_at)s > interval '0'"


def _parameters(listing: Listing, page: Page) -> dict[str, object]:
    return {
        "brand": listing.brand_id,
        "any_facets": [int(facet) for facet in listing.any_facets],
        "all_facets": [int(facet) for facet in listing.all_facets],
        "query": listing.query,
        "currency": listing.currency,
        "minimum": listing.minimum_minor,
        "closes_after": listing.closes_after,
        "open_at": listing.open_at,
        "applicant": listing.applicant_id,
        "key": page.after.key if page.after else None,
        "id": page.after.id if page.after else None,
        "size": page.size,
    }
