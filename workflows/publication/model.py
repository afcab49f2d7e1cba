"""Inputs and results of the workflows of publications and withdrawals. Pure data.

The media service owns what readers see.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from workflows.notices import Notice

FEED = "FEED"


class State(StrEnum):
    """State of a publication; see liaison.media.v1.Publication.State."""

    PENDING = "PENDING"
    PUBLISHED = "PUBLISHED"
    WITHDRAWN = "WITHDRAWN"


@dataclass(frozen=True)
class PublicationTerms:
    """A publication to deliver. `brand_id` is empty for a creator's own post."""

    publication_id: str
    creator_id: str
    brand_id: str
    channel: str
    due_time: datetime


@dataclass(frozen=True)
class WithdrawalTerms:
    """A withdrawn publication; `was_published` says whether readers saw it before."""

    publication_id: str
    creator_id: str
    brand_id: str
    channel: str
    reason: str
    was_published: bool


@dataclass(frozen=True)
class DeliveryResult:
    """State of a publication after an attempt, and the notices that could not be sent yet."""

    state: State
    url: str = ""
    pending: list[Notice] = field(default_factory=list)


@dataclass(frozen=True)
class PublicationResult:
    """Final state of a publication."""

    state: State
    was_late: bool
