"""ListTasks: which tasks a caller sees, narrowed by the caller's filter."""

from typing import Protocol

from servicekit.auth import Principal, Role
from servicekit.clock import Clock
from servicekit.errors import FailedPrecondition, Violation, invalid_fields
from servicekit.pagination import Page
from services.tasks.domain import Creators, State, Task
from services.tasks.listing.commands import ListTasks
from services.tasks.listing.domain import Facet, Listing, asks_for, gives, takes


class ListedTasks(Protocol):
    async def list_tasks(self, listing: Listing, page: Page) -> list[Task]: ...


class ListingHandlers:
    def __init__(self, tasks: ListedTasks, creators: Creators, clock: Clock) -> None:
        self._tasks = tasks
        self._creators = creators
        self._clock = clock

    async def list_tasks(self, who: Principal, command: ListTasks, page: Page) -> list[Task]:
        listing = await self._listing(who, command)
        return await self._tasks.list_tasks(listing, page) if listing is not None else []

    async def _listing(self, who: Principal, command: ListTasks) -> Listing | None:
        """None if no task can match."""
        asked = command.filter
        if asked.is_takable and who.role is not Role.CREATOR:
            raise invalid_fields(
                Violation("filter.is_takable", "CREATORS_ONLY", "Only creators take tasks")
            )
        states = tuple(
            state for state in _visible_states(who.role) if state in (asked.states or State)
        )
        brand_id = who.brand or asked.brand_id
        needed = await self._needed(who) if asked.is_takable else []
        is_of_another_brand = asked.brand_id not in (None, brand_id)
        if not states or needed is None or is_of_another_brand or asked.contradicts_itself:
            return None
        return Listing(
            states=states,
            order=command.order_by,
            brand_id=brand_id,
            any_facets=tuple(asks_for(asked.content_types)),
            all_facets=(*needed, *([gives(asked.reward_kind)] if asked.reward_kind else [])),
            query=asked.query,
            currency=asked.currency,
            minimum_minor=asked.minimum_reward.amount_minor if asked.minimum_reward else None,
            closes_after=asked.application_deadline_after,
            open_at=self._clock() if who.role is Role.CREATOR else None,
            applicant_id=who.creator if asked.is_takable else None,
        )

    async def _needed(self, who: Principal) -> list[Facet] | None:
        """Facets that a task needs for this creator to take it. None if it may take none."""
        try:
            return takes(await self._creators.candidate(who.creator or ""))
        except FailedPrecondition:  # no creator is registered under this id
            return None


def _visible_states(role: Role) -> list[State]:
    """Brands see all of their tasks, creators open ones, staff all that are published."""
    if role is Role.CREATOR:
        return [State.OPEN]
    return [one for one in State if role is Role.BRAND or one is not State.DRAFT]
