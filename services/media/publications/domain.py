"""Publications and placements as they are kept: pure. What readers get is in `documents`."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from servicekit.errors import Violation
from services.media.articles.domain import RevisionHead

# A slot belongs to one article for that long at most.
LONGEST_PLACEMENT = timedelta(days=90)
# "From now on" is a moment ago when it arrives, and clocks differ.
_GRACE = timedelta(minutes=1)


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
    """One article in one channel. `url` and `publish_time` are there once it was PUBLISHED, also of
    one that was withdrawn after that, or when a network took it at the same moment."""

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
    # Whose command it was, so that repeating it is no other command.
    withdraw_command: str = ""

    @property
    def id(self) -> str:
        return publication_id(self.article_id, self.channel)

    @property
    def name(self) -> str:
        return f"publications/{self.id}"


def publication_id(article_id: str, channel: Channel) -> str:
    """One an article and channel: an article is published once."""
    return f"{article_id}-{channel.lower()}"


def publication_of(
    head: RevisionHead, channel: Channel, request_time: datetime, window: timedelta
) -> Publication:
    """What is promised from `request_time` on, within `window` (R99)."""
    commission = head.commission
    return Publication(
        article_id=head.article_id,
        revision_id=head.id,
        channel=channel,
        creator_id=head.creator_id,
        request_time=request_time,
        due_time=request_time + window,
        brand_id=commission.brand_id if commission else "",
        assignment_id=commission.assignment_id if commission else "",
    )


@dataclass(frozen=True)
class Placement:
    """`publication_id` is shown in `slot` from `start_time` until `end_time`, exclusive.

    One that is taken back before it begins keeps its times and is shown never; after that it ends
    with `cancel_time`.
    """

    id: str
    slot: str
    publication_id: str
    start_time: datetime
    end_time: datetime
    granted_by: str
    create_time: datetime
    cancel_time: datetime | None = None

    @property
    def name(self) -> str:
        return f"placements/{self.id}"


def window_violations(start: datetime, end: datetime, now: datetime) -> list[Violation]:
    """Everything that is wrong with the time that a placement is asked for."""
    found = []
    if start < now - _GRACE:
        found.append(Violation("placement.start_time", "PAST", "Must not lie in the past"))
    if end <= start:
        found.append(Violation("placement.end_time", "ORDER", "Must be after start_time"))
    elif end - start > LONGEST_PLACEMENT:
        longest = f"Must be at most {LONGEST_PLACEMENT.days} days after start_time"
        found.append(Violation("placement.end_time", "RANGE", longest))
    return found
