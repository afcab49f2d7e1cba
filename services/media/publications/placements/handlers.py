"""Use cases of placements: operators grant an article a prime place in the app (R16) or on the
platform's Instagram account (R15) for some time. A slot shows one article at a time."""

from collections.abc import Awaitable, Callable, Sequence
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
from services.media.publications.domain import Channel, Publication, State
from services.media.publications.placements.commands import (
    CancelPlacement,
    CreatePlacement,
    ListPlacements,
    PlacementInput,
)
from services.media.publications.placements.domain import Placement, period_violations

# The publication, locked against changes until the transaction ends.
LockPublication = Callable[[str], Awaitable[Publication | None]]


class Placements(Protocol):
    """Stores placements."""

    async def add(self, placement: Placement) -> Placement | None:
        """Adds the placement and returns None, or returns one that has the slot in that period."""

    async def get(self, placement_id: str) -> Placement | None: ...

    async def cancel(self, placement_id: str, now: datetime) -> None:
        """A placement that is over or cancelled stays as it is."""

    async def list_placements(
        self, slot: str | None, active_time: datetime | None, page: Page
    ) -> list[Placement]:
        """Earliest first."""


class PlacementHandlers:
    """The server runs `create_placement` and `cancel_placement` in one transaction with the storing
    of their response."""

    def __init__(
        self,
        placements: Placements,
        lock_publication: LockPublication,
        slots: Sequence[str],
        clock: Clock,
    ) -> None:
        self._placements = placements
        self._lock_publication = lock_publication
        self._slots = slots
        self._clock = clock

    async def create_placement(self, who: Principal, command: CreatePlacement) -> Placement:
        wanted, now = command.placement, self._clock()
        violations = period_violations(wanted.start_time, wanted.end_time, now)
        if wanted.slot not in self._slots:
            offered = f"Must be one of {', '.join(self._slots)}"
            violations.append(Violation("placement.slot", "SLOT", offered))
        if violations:
            raise invalid_fields(*violations)
        await self._require_published(wanted)
        placement = Placement(
            id=uuid4().hex,
            slot=wanted.slot,
            publication_id=wanted.publication_id,
            start_time=wanted.start_time,
            end_time=wanted.end_time,
            granted_by=who.actor,
            create_time=now,
        )
        if other := await self._placements.add(placement):
            raise _slot_taken(other)
        return placement

    async def cancel_placement(self, command: CancelPlacement) -> Placement:
        await self._placements.cancel(command.id, self._clock())
        return require_found(f"placements/{command.id}", await self._placements.get(command.id))

    async def list_placements(self, command: ListPlacements, page: Page) -> list[Placement]:
        return await self._placements.list_placements(command.slot, command.active_time, page)

    async def _require_published(self, wanted: PlacementInput) -> None:
        """Locks the publication: a withdrawal either cancels the placement or comes first."""
        publication = require_found(
            f"publications/{wanted.publication_id}",
            await self._lock_publication(wanted.publication_id),
        )
        if publication.channel is not Channel.FEED:
            raise invalid_fields(
                Violation("placement.publication", "CHANNEL", "Must be one on the FEED")
            )
        if publication.state is not State.PUBLISHED:
            raise illegal_state(publication.name, publication.state, "CreatePlacement")


def _slot_taken(other: Placement) -> FailedPrecondition:
    return FailedPrecondition(
        Reason.SLOT_TAKEN,
        f"{other.name} has {other.slot} from {other.start_time:%Y-%m-%d %H:%M} to"
        f" {other.end_time:%Y-%m-%d %H:%M} UTC",
        metadata={"placement": other.name, "slot": other.slot},
    )
