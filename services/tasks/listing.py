"""Which tasks a listing shows and in which order: pure. What it costs to find them is the store's
matter.

What a task asks of creators, and gives them, is boiled down to `Facet`s. A creator may take a task
whose facets hold all of the creator's own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, StrEnum

from servicekit.creator_levels import LEVELS
from servicekit.money import Money
from services.tasks.domain import (
    AccountClass,
    Candidate,
    Content,
    ContentType,
    LiveStreamChannel,
    State,
    Task,
)


class Order(StrEnum):
    """As callers write it (AIP-132)."""

    NEWEST = "create_time desc"
    OLDEST = "create_time"
    APPLICATION_DEADLINE = "application_deadline_time"
    SUBMISSION_DEADLINE = "submission_deadline_time"
    REWARD = "reward desc"


def key_of(task: Task, order: Order) -> datetime | int:
    """What a task is ordered by."""
    content = task.content
    match order:
        case Order.NEWEST | Order.OLDEST:
            return task.create_time
        case Order.APPLICATION_DEADLINE:
            return content.application_deadline_time
        case Order.SUBMISSION_DEADLINE:
            return content.submission_deadline_time
        case Order.REWARD:
            return content.reward.amount_minor if isinstance(content.reward, Money) else 0


class RewardKind(StrEnum):
    MONEY = "MONEY"
    PRODUCT = "PRODUCT"


class Facet(IntEnum):
    """Numbers that are stored: none is ever given another meaning."""

    ASKS_FOR_VIDEO = 1
    ASKS_FOR_LIVE_STREAM = 2
    ASKS_FOR_ARTICLE = 3
    ASKS_FOR_LIST = 4
    ASKS_FOR_CREATIVES = 5
    ASKS_FOR_TRANSLATION = 6
    TAKES_INTERNAL = 11
    TAKES_EXTERNAL = 12
    TAKES_NEWCOMER = 21
    TAKES_JUNIOR = 22
    TAKES_INTERMEDIATE = 23
    TAKES_ADVANCED = 24
    TAKES_EXPERT = 25
    TAKES_STAR = 26
    TAKES_WITHOUT_LIVE_STREAM_ACCESS = 31
    GIVES_MONEY = 41
    GIVES_PRODUCT = 42


def facets_of(content: Content) -> list[Facet]:
    """Of a task."""
    classes = content.account_classes or tuple(AccountClass)
    levels = LEVELS[LEVELS.index(content.minimum_level) :]
    facets = asks_for(content.content_types)
    facets += [Facet[f"TAKES_{one}"] for one in (*classes, *levels)]
    if not (
        content.has_live_stream and content.live_stream_channel is LiveStreamChannel.CREATOR_ACCOUNT
    ):
        facets.append(Facet.TAKES_WITHOUT_LIVE_STREAM_ACCESS)
    is_money = isinstance(content.reward, Money)
    return [*facets, gives(RewardKind.MONEY if is_money else RewardKind.PRODUCT)]


def asks_for(content_types: Sequence[ContentType]) -> list[Facet]:
    return [Facet[f"ASKS_FOR_{one}"] for one in content_types]


def gives(kind: RewardKind) -> Facet:
    return Facet[f"GIVES_{kind}"]


def takes(candidate: Candidate) -> list[Facet] | None:
    """What a task must have for this creator to take it; None where it may take none at all."""
    may_take = candidate.is_admitted and candidate.has_payout_account
    if not may_take or candidate.unmet_rule_ids:
        return None
    needed = [Facet[f"TAKES_{candidate.account_class}"], Facet[f"TAKES_{candidate.level}"]]
    if not candidate.has_live_stream_access:
        needed.append(Facet.TAKES_WITHOUT_LIVE_STREAM_ACCESS)
    return needed


@dataclass(frozen=True)
class Listing:
    """Tasks in one of `states` that meet all of the rest, as far as it is set."""

    states: tuple[State, ...]
    order: Order = Order.NEWEST
    brand_id: str | None = None
    # One of these, and all of those.
    any_facets: tuple[Facet, ...] = ()
    all_facets: tuple[Facet, ...] = ()
    words: str = ""
    currency: str | None = None
    minimum_minor: int | None = None
    closes_after: datetime | None = None
    # Not closed to applications at this instant.
    open_at: datetime | None = None
    # Whose tasks are left out: those that this creator has applied for.
    applicant_id: str | None = None
