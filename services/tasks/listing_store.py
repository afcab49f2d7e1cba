"""The SQL of listings.

A statement is composed of the predicates that are set, and is planned for their values: how to
walk depends on how rare they are. There is one branch for each state, since every index leads with
it; a branch ends after a page of its own.
"""

from typing import LiteralString

from servicekit.pagination import Page
from services.tasks.domain import State
from services.tasks.listing import Listing, Order

# What a listing is ordered by, and whether downwards.
_KEYS: dict[Order, tuple[LiteralString, bool]] = {
    Order.NEWEST: ("create_time", True),
    Order.OLDEST: ("create_time", False),
    Order.APPLICATION_DEADLINE: ("application_deadline_time", False),
    Order.SUBMISSION_DEADLINE: ("submission_deadline_time", False),
    Order.REWARD: ("reward_minor", True),
}

# Written out, since partial indexes are matched with what is written.
_STATES: dict[State, LiteralString] = {
    State.DRAFT: "'DRAFT'",
    State.OPEN: "'OPEN'",
    State.SELECTING: "'SELECTING'",
    State.IN_PROGRESS: "'IN_PROGRESS'",
    State.CLOSED: "'CLOSED'",
    State.CANCELLED: "'CANCELLED'",
    State.UNFILLED: "'UNFILLED'",
}


def statement(
    select: LiteralString, listing: Listing, page: Page
) -> tuple[LiteralString, dict[str, object]]:
    """The statement that fetches a page of what `select` says of tasks, and its parameters."""
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
        f"{select} JOIN ({branches}) AS page USING (id)"
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
    stated: dict[LiteralString, object] = {
        "brand_id = %(brand)s": listing.brand_id,
        "facets && %(any_facets)s::smallint[]": listing.any_facets or None,
        "facets @> %(all_facets)s::smallint[]": listing.all_facets or None,
        "search_vector @@ plainto_tsquery('simple', search_text(%(words)s))": listing.words or None,
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
    return [predicate for predicate, value in stated.items() if value is not None]


def _guards(state: State, listing: Listing) -> list[LiteralString]:
    """What is over has no deadline ahead, which statistics do not tell: without a look at the
    latest deadline first, a branch would walk over all its tasks and find none."""
    if listing.closes_after is None or listing.order is Order.APPLICATION_DEADLINE:
        return []
    return [
        f"""
        EXISTS (SELECT FROM task AS late WHERE late.state = {_STATES[state]}
                   AND late.application_deadline_time > %(closes_after)s)
        """
    ]


def _still_open(order: Order) -> LiteralString:
    """Nearly all open tasks are: to be checked on the way, not to be looked up beforehand, unless
    the way leads past those that are not."""
    if order is Order.APPLICATION_DEADLINE:
        return "application_deadline_time > %(open_at)s"
    return "application_deadline_time - %(open_at)s > interval '0'"


def _parameters(listing: Listing, page: Page) -> dict[str, object]:
    return {
        "brand": listing.brand_id,
        "any_facets": [int(facet) for facet in listing.any_facets],
        "all_facets": [int(facet) for facet in listing.all_facets],
        "words": listing.words,
        "currency": listing.currency,
        "minimum": listing.minimum_minor,
        "closes_after": listing.closes_after,
        "open_at": listing.open_at,
        "applicant": listing.applicant_id,
        "key": page.after.key if page.after else None,
        "id": page.after.id if page.after else None,
        "size": page.size,
    }
