"""Tasks and applications as the service keeps them, and who may apply: pure."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from servicekit.creator_levels import LEVELS
from servicekit.errors import FailedPrecondition, Reason
from servicekit.money import Money
from workflows.assignment.model import Funding, Requirement, Terms, Transition
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


class NotUnderWay(FailedPrecondition):
    """No workflow runs for a task or an assignment: it has not started yet, or it has ended. Use
    cases turn it into what is recorded."""

    def __init__(self) -> None:
        super().__init__(Reason.ILLEGAL_STATE, "Not under way: nothing can be done with it")


class CompletionRule(StrEnum):
    ALL = "ALL"
    ANY = "ANY"


class LiveStreamChannel(StrEnum):
    CREATOR_ACCOUNT = "CREATOR_ACCOUNT"
    BRAND_ACCOUNT = "BRAND_ACCOUNT"


class AccountClass(StrEnum):
    INTERNAL = "INTERNAL"
    EXTERNAL = "EXTERNAL"


class ApplicationState(StrEnum):
    APPLIED = "APPLIED"
    WITHDRAWN = "WITHDRAWN"
    SELECTED = "SELECTED"
    LAPSED = "LAPSED"


@dataclass(frozen=True)
class Product:
    """What a creator gets instead of money; `link` shows it, or is empty."""

    title: str
    link: str = ""


Reward = Money | Product


@dataclass(frozen=True)
class StoreCoupons:
    """What one store that the brand works with gives for a task (R90, R92)."""

    store_id: str
    coupon_ids: tuple[str, ...]


@dataclass(frozen=True)
class Content:
    """What a brand writes: all of a draft, frozen when it is published.

    `funding` means nothing where the reward is a product, `live_stream_channel` nothing where no
    live stream is asked for.
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
    # Drafts from before there were any have none.
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


@dataclass(frozen=True)
class Application:
    """The assignment of a selected application has the same id."""

    id: str
    task_id: str
    creator_id: str
    message: str
    create_time: datetime
    update_time: datetime
    state: ApplicationState = ApplicationState.APPLIED

    @property
    def name(self) -> str:
        return f"tasks/{self.task_id}/applications/{self.id}"


@dataclass(frozen=True)
class Candidate:
    """What the creators service tells of a creator who wants a task."""

    creator_id: str
    is_admitted: bool
    account_class: str
    level: str
    has_live_stream_access: bool
    has_payout_account: bool
    # Of the numeric criteria of admission, those that the newest statistics do not meet.
    unmet_rule_ids: tuple[str, ...] = ()


@dataclass(frozen=True)
class AssignmentRecord:
    """An assignment as its workflow recorded it: what is searched by, and the message itself."""

    id: str
    task_id: str
    brand_id: str
    creator_id: str
    state: str
    sequence: int
    create_time: datetime
    message: bytes
    reward_is_overdue: bool


@dataclass(frozen=True)
class RecordedAssignment:
    """What the workflow has to record: the assignment, and what led there."""

    record: AssignmentRecord
    transitions: tuple[Transition, ...]


_CRITERIA = {
    "R3": "more than 20 posts",
    "R4": "more than 10000 AliExpress followers",
    "R8": "more than 50 posts",
    "R9": "more than 5000 followers",
}


def check_eligible(content: Content, candidate: Candidate) -> None:
    """Whether a creator may take a task, at application and again at selection (R3, R4, R8, R9,
    R20).

    Raises:
        FailedPrecondition: what is missing, the first of it.
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


def published(task: Task, policy: Policy) -> PublishedTask:
    """What the task's workflow is started with."""
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
