"""Tasks, and the rules that decide which creators may take one. Pure."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from servicekit.creator_levels import LEVELS
from servicekit.errors import FailedPrecondition, Reason
from servicekit.money import Money
from workflows.assignment.model import Funding, Requirement, Terms
from workflows.policy import Policy
from workflows.task.model import PublishedTask


class State(StrEnum):
    DRAFT = "DRAFT"
    OPEN = "OPEN"
    SELECTING = "SELECTING"
    IN_PROGRESS = "IN_PROGRESS"
    CLOSED = "CLOSED"
    CANCELLED = "CANCELLED"
    UNFILLED = "UNFILLED"


class ContentType(StrEnum):
    VIDEO = "VIDEO"
    LIVE_STREAM = "LIVE_STREAM"
    ARTICLE = "ARTICLE"
    LIST = "LIST"
    CREATIVES = "CREATIVES"
    TRANSLATION = "TRANSLATION"


class CompletionRule(StrEnum):
    ALL = "ALL"
    ANY = "ANY"


class LiveStreamChannel(StrEnum):
    CREATOR_ACCOUNT = "CREATOR_ACCOUNT"
    BRAND_ACCOUNT = "BRAND_ACCOUNT"


class AccountClass(StrEnum):
    INTERNAL = "INTERNAL"
    EXTERNAL = "EXTERNAL"


@dataclass(frozen=True)
class Product:
    """A reward in kind. `link` points to the product, or is empty."""

    title: str
    link: str = ""


Reward = Money | Product


@dataclass(frozen=True)
class StoreCoupons:
    """Coupons of one store that articles for the task may show (R90, R92)."""

    store_id: str
    coupon_ids: tuple[str, ...]


@dataclass(frozen=True)
class Content:
    """All that a brand writes in a draft. Publishing freezes it.

    `funding` is ignored where the reward is a product, `live_stream_channel` where no live stream
    is asked for.
    """

    title: str
    description: str
    content_types: tuple[ContentType, ...]
    completion_rule: CompletionRule
    requirements: tuple[Requirement, ...]
    reward: Reward
    funding: Funding
    creator_slots: int
    account_classes: tuple[AccountClass, ...]
    minimum_level: str
    live_stream_channel: LiveStreamChannel
    application_deadline_time: datetime
    selection_deadline_time: datetime
    submission_deadline_time: datetime
    policy_name: str
    store_coupons: tuple[StoreCoupons, ...] = ()

    @property
    def has_live_stream(self) -> bool:
        return ContentType.LIVE_STREAM in self.content_types


@dataclass(frozen=True)
class Task:
    id: str
    brand_id: str
    content: Content
    create_time: datetime
    update_time: datetime
    state: State = State.DRAFT
    version: int = 1
    frozen_policy: Policy | None = None
    publish_time: datetime | None = None
    publish_request_id: str = ""
    selected_count: int = 0

    @property
    def name(self) -> str:
        return f"tasks/{self.id}"

    @property
    def etag(self) -> str:
        return str(self.version)


class TaskReader(Protocol):
    async def task(self, task_id: str) -> Task | None: ...


@dataclass(frozen=True)
class Candidate:
    """A creator who wants a task, as the creators service describes them now."""

    creator_id: str
    is_admitted: bool
    account_class: str
    level: str
    has_live_stream_access: bool
    has_payout_account: bool
    # Numeric admission criteria that the newest statistics no longer meet.
    unmet_rule_ids: tuple[str, ...] = ()


class Creators(Protocol):
    """The creators service."""

    async def candidate(self, creator_id: str) -> Candidate:
        """
        Raises:
            FailedPrecondition: no creator is registered under this id.
        """


_CRITERIA = {
    "R3": "more than 20 posts",
    "R4": "more than 10000 AliExpress followers",
    "R8": "more than 50 posts",
    "R9": "more than 5000 followers",
}


def check_eligible(content: Content, candidate: Candidate) -> None:
    """Checks that a creator may take a task; called at application and again at selection (R3, R4,
    R8, R9, R20).

    Raises:
        FailedPrecondition: names the first requirement that is not met.
    """
    creator = f"creators/{candidate.creator_id}"
    if not candidate.is_admitted:
        raise FailedPrecondition(Reason.CREATOR_NOT_ADMITTED, f"{creator} is not admitted")
    if not candidate.has_payout_account:
        raise FailedPrecondition(
            Reason.PAYOUT_ACCOUNT_MISSING, f"{creator} has named no PayPal account"
        )
    if candidate.unmet_rule_ids:
        unmet = " and ".join(_CRITERIA[rule_id] for rule_id in candidate.unmet_rule_ids)
        raise FailedPrecondition(
            Reason.CREATOR_NOT_ELIGIBLE,
            f"{creator} no longer has {unmet}, which taking a task needs",
            metadata={"missing": ", ".join(candidate.unmet_rule_ids)},
        )
    if missing := _missing(content, candidate):
        raise FailedPrecondition(
            Reason.CREATOR_NOT_ELIGIBLE,
            f"{creator} does not meet what the task asks for: {missing}",
            metadata={"missing": missing},
        )


def _missing(content: Content, candidate: Candidate) -> str:
    if content.account_classes and candidate.account_class not in content.account_classes:
        return "account_class"
    if LEVELS.index(candidate.level) < LEVELS.index(content.minimum_level):
        return "level"
    needs_access = (
        ContentType.LIVE_STREAM in content.content_types
        and content.live_stream_channel is LiveStreamChannel.CREATOR_ACCOUNT
    )
    if needs_access and not candidate.has_live_stream_access:
        return "live_stream_access"
    return ""


def workflow_input(task: Task, policy: Policy) -> PublishedTask:
    """The argument that the task's workflow is started with."""
    content = task.content
    money = content.reward if isinstance(content.reward, Money) else Money("", 0)
    product = content.reward if isinstance(content.reward, Product) else Product("")
    return PublishedTask(
        id=task.id,
        terms=Terms(
            task_id=task.id,
            brand_id=task.brand_id,
            requirements=list(content.requirements),
            currency=money.currency,
            reward_minor=money.amount_minor,
            funding=content.funding,
            submission_deadline_time=content.submission_deadline_time,
            policy=policy,
            title=content.title,
            content_types=[str(one) for one in content.content_types],
            completion_rule=content.completion_rule,
            product_title=product.title,
            product_link=product.link,
        ),
        creator_slots=content.creator_slots,
        application_deadline_time=content.application_deadline_time,
        selection_deadline_time=content.selection_deadline_time,
    )
