"""Publications and their rules. Pure. The documents that readers get are in `documents`."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from services.media.articles.domain import RevisionHead


class Channel(StrEnum):
    FEED = "FEED"
    FACEBOOK = "FACEBOOK"
    INSTAGRAM = "INSTAGRAM"
    PINTEREST = "PINTEREST"
    VK = "VK"
    X = "X"


class State(StrEnum):
    PENDING = "PENDING"
    PUBLISHED = "PUBLISHED"
    WITHDRAWN = "WITHDRAWN"


@dataclass(frozen=True)
class Publication:
    """One article in one channel. `url` and `publish_time` are set when it is PUBLISHED, and stay
    when it is withdrawn later; a post that a network accepted during its withdrawal has them, too.
    """

    article_id: str
    revision_id: str
    channel: Channel
    creator_id: str
    request_time: datetime
    due_time: datetime
    brand_id: str = ""
    assignment_id: str = ""
    state: State = State.PENDING
    url: str = ""
    publish_time: datetime | None = None
    is_overdue: bool = False
    withdraw_reason: str = ""
    # Subject and request id of the withdrawal: a repeated request is recognised by it.
    withdraw_command: str = ""

    @property
    def id(self) -> str:
        return publication_id(self.article_id, self.channel)

    @property
    def name(self) -> str:
        return f"publications/{self.id}"


@dataclass(frozen=True)
class PublicationFilter:
    """Which publications to list; None and False do not restrict."""

    creator_id: str | None
    brand_id: str | None
    article_id: str | None
    state: State | None
    is_overdue: bool


def publication_id(article_id: str, channel: Channel) -> str:
    """An article is published once in each channel, so that its id follows from both."""
    return f"{article_id}-{channel.lower()}"


def publication_of(
    head: RevisionHead, channel: Channel, request_time: datetime, window: timedelta
) -> Publication:
    """A publication that is due `window` after `request_time` (R99)."""
    assignment_context = head.assignment_context
    return Publication(
        article_id=head.article_id,
        revision_id=head.id,
        channel=channel,
        creator_id=head.creator_id,
        request_time=request_time,
        due_time=request_time + window,
        brand_id=assignment_context.brand_id if assignment_context else "",
        assignment_id=assignment_context.assignment_id if assignment_context else "",
    )
