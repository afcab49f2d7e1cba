"""Filters and orders of ListTasks. Pure; how rows are found is in `store`.

What a task asks of creators and gives them is indexed as a set of `Facet`s. A creator may take a
task that has all facets returned by `takes`.
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
    """Values of `order_by` (AIP-132)."""

    NEWEST = "create_time desc"
    OLDEST = "create_time"
    APPLICATION_DEADLINE = "application_deadline_time"
    SUBMISSION_DEADLINE = "submission_deadline_time"
    REWARD = "reward desc"


def key_of(task: Task, order: Order) -> datetime | int:
    """The value that the order sorts a task by."""
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
    """Numbers are stored in `task.facets`: never reuse one for another meaning."""

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
    """Facets that a task needs for this creator to take it. None if the creator may take none."""
    may_take = candidate.is_admitted and candidate.has_payout_account
    if not may_take or candidate.unmet_rule_ids:
        return None
    needed = [Facet[f"TAKES_{candidate.account_class}"], Facet[f"TAKES_{candidate.level}"]]
    if not candidate.has_live_stream_access:
        needed.append(Facet.TAKES_WITHOUT_LIVE_STREAM_ACCESS)
    return needed


@dataclass(frozen=True)
class Listing:
    """Tasks in one of `states` that match every other field that is set."""

    states: tuple[State, ...]
    order: Order = Order.NEWEST
    brand_id: str | None = None
    # At least one of `any_facets`, and all of `all_facets`.
    any_facets: tuple[Facet, ...] = ()
    all_facets: tuple[Facet, ...] = ()
    query: str = ""
    currency: str | None = None
    minimum_minor: int | None = None
    closes_after: datetime | None = None
    # Application deadline after this instant.
    open_at: datetime | None = None
    # Only tasks that this creator has no application for.
    applicant_id: str | None = None
