"""What operators can do with the app's prime places (R16) and the platform's Instagram account
(R15): each is one article's at a time."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol
from uuid import uuid4

from servicekit.auth import Principal
from servicekit.clock import Clock
from servicekit.errors import (
    FailedPrecondition,
    Reason,
    Violation,
    illegal_state,
    invalid_fields,
    require_found,
)
from servicekit.pagination import Page
from services.media.publications.commands import (
    CancelPlacement,
    CreatePlacement,
    ListPlacements,
    PlacementInput,
)
from services.media.publications.domain import (
    Channel,
    Placement,
    Publication,
    State,
    window_violations,
)


class Publications(Protocol):
    async def lock(self, publication_id: str) -> Publication | None:
        """As it stays until the transaction ends."""


class PlacementStore(Protocol):
    async def add(self, placement: Placement) -> Placement | None:
        """Answers with the placement that has the slot in that time; None when it is this one."""

    async def get(self, placement_id: str) -> Placement | None: ...

    async def cancel(self, placement_id: str, now: datetime) -> None:
        """One that is over, or was taken back before, is left as it is."""

    async def list_placements(
        self, slot: str | None, active_time: datetime | None, page: Page
    ) -> list[Placement]:
        """Earliest first."""


class PlacementHandlers:
    """`create_placement` and `cancel_placement` run in a transaction with their answer."""

    def __init__(
        self,
        store: PlacementStore,
        publications: Publications,
        slots: Sequence[str],
        clock: Clock,
    ) -> None:
        self._store = store
        self._publications = publications
        self._slots = slots
        self._clock = clock

    async def create_placement(self, who: Principal, command: CreatePlacement) -> Placement:
        wanted, now = command.placement, self._clock()
        violations = window_violations(wanted.start_time, wanted.end_time, now)
        if wanted.slot not in self._slots:
            offered = f"Must be one of {', '.join(self._slots)}"
            violations.append(Violation("placement.slot", "SLOT", offered))
        if violations:
            raise invalid_fields(*violations)
        await self._check_shown(wanted)
        placement = Placement(
            id=uuid4().hex,
            slot=wanted.slot,
            publication_id=wanted.publication_id,
            start_time=wanted.start_time,
            end_time=wanted.end_time,
            granted_by=who.actor,
            create_time=now,
        )
        if other := await self._store.add(placement):
            raise _taken(other)
        return placement

    async def cancel_placement(self, command: CancelPlacement) -> Placement:
        await self._store.cancel(command.id, self._clock())
        return require_found(f"placements/{command.id}", await self._store.get(command.id))

    async def list_placements(self, command: ListPlacements, page: Page) -> list[Placement]:
        return await self._store.list_placements(command.slot, command.active_time, page)

    async def _check_shown(self, wanted: PlacementInput) -> None:
        """Held until the placement is there: a withdrawal finds it, or comes first."""
        publication = require_found(
            f"publications/{wanted.publication_id}",
            await self._publications.lock(wanted.publication_id),
        )
        if publication.channel is not Channel.FEED:
            raise invalid_fields(
                Violation("placement.publication", "CHANNEL", "Must be one on the FEED")
            )
        if publication.state is not State.PUBLISHED:
            raise illegal_state(publication.name, publication.state, "CreatePlacement")


def _taken(other: Placement) -> FailedPrecondition:
    return FailedPrecondition(
        Reason.SLOT_TAKEN,
        f"{other.name} has {other.slot} from {other.start_time:%Y-%m-%d %H:%M} to"
        f" {other.end_time:%Y-%m-%d %H:%M} UTC",
        metadata={"placement": other.name, "slot": other.slot},
    )
