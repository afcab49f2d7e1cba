"""Commands of PublicationService on placements."""

from typing import Annotated

from pydantic import Field

from servicekit.commands import Command, Instant, bounded_text, resource_id
from services.media.publications.commands import PublicationId

Slot = Annotated[str, bounded_text(1, 63)]


class PlacementInput(Command):
    slot: Slot
    publication_id: PublicationId = Field(alias="publication")
    start_time: Instant
    end_time: Instant


class CreatePlacement(Command):
    placement: PlacementInput


class CancelPlacement(Command):
    id: Annotated[str, resource_id("placements/{placement}")] = Field(alias="name")


class ListPlacements(Command):
    slot: Slot | None = None
    active_time: Instant | None = None
