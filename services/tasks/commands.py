"""What callers of the tasks service may say: command models that mirror its requests."""

import re
from datetime import datetime
from typing import Annotated, Literal, Self, cast

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    field_validator,
    model_validator,
)

from servicekit.commands import (
    Command,
    Currency,
    Instant,
    Link,
    PositiveMoney,
    Visible,
    between,
    bounded_text,
    proto_enum,
    resource_id,
    resource_ids,
    unique_items,
    violation,
)
from servicekit.money import Money
from services.tasks.domain import (
    AccountClass,
    CompletionRule,
    Content,
    ContentType,
    LiveStreamChannel,
    Product,
    Reward,
    State,
    StoreCoupons,
)
from services.tasks.listing import Order, RewardKind
from workflows.assignment.model import Funding, Requirement
from workflows.policy import POLICIES

TaskId = Annotated[str, resource_id("tasks/{task}")]


ALL_TASKS = "tasks/-"  # AIP-159


def _selection_closes(policy_name: str, applications_close: datetime) -> datetime:
    """Where the brand does not say when."""
    return POLICIES[policy_name].selection_window.after(applications_close)


def _of_words(query: str) -> str:
    if query and not any(character.isalnum() for character in query):
        raise violation("WORDS", "Must hold a word to look for")
    return query


def _order(order_by: object) -> Order:
    """AIP-132: blanks between do not matter."""
    try:
        return Order(" ".join(str(order_by).split()))
    except ValueError:
        allowed = ", ".join(f"`{order}`" for order in Order)
        raise violation("AIP-132", f"Must be one of {allowed}") from None


def _store_id(value: str) -> str:
    if re.fullmatch(r"[0-9]{1,20}", value) is None:
        raise violation("R90", "Must be the store's number: 1 to 20 digits")
    return value


def _coupon_id(value: str) -> str:
    if re.fullmatch(r"[A-Za-z0-9_-]{1,64}", value) is None:
        raise violation("R90", "Must be 1 to 64 letters, digits, `-` and `_`")
    return value


def _one_a_store(stores: "list[StoreCouponsInput]") -> "list[StoreCouponsInput]":
    if len({one.store_id for one in stores}) != len(stores):
        raise violation("R92", "Must name each store once, with all of its coupons")
    return stores


class RequirementInput(Command):
    text: Annotated[str, bounded_text(1, 1000), Visible]


class ProductInput(Command):
    title: Annotated[str, bounded_text(1, 200), Visible]
    link: Link = ""


class RewardInput(Command):
    money: PositiveMoney | None = None
    product: ProductInput | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if (self.money is None) == (self.product is None):
            raise violation("ONE_OF", "Must be either money or a product")
        return self

    def reward(self) -> Reward:
        if self.product is not None:
            return Product(self.product.title, self.product.link)
        return cast("Money", self.money)


class EligibilityInput(Command):
    account_classes: Annotated[
        list[Annotated[AccountClass, proto_enum("ACCOUNT_CLASS_")]], unique_items(0, 2)
    ] = Field(default_factory=list)
    minimum_level: Annotated[str, proto_enum("CREATOR_LEVEL_")] = "NEWCOMER"


class StoreCouponsInput(Command):
    store_id: Annotated[str, AfterValidator(_store_id)]
    coupon_ids: Annotated[list[Annotated[str, AfterValidator(_coupon_id)]], unique_items(1, 50)]


class TaskInput(Command):
    """A draft's content. Deadlines must follow each other; that they lie ahead is checked when the
    task is published."""

    title: Annotated[str, bounded_text(1, 120), Visible]
    description: Annotated[str, bounded_text(0, 10_000)] = ""
    content_types: Annotated[
        list[Annotated[ContentType, proto_enum("CONTENT_TYPE_")]], unique_items(1, 6)
    ]
    completion_rule: Annotated[CompletionRule, proto_enum("COMPLETION_RULE_")] = CompletionRule.ALL
    requirements: Annotated[list[RequirementInput], unique_items(1, 50)]
    reward: RewardInput
    funding: Annotated[Funding | None, proto_enum("FUNDING_")] = None
    creator_slots: Annotated[int, between(1, 1000)]
    eligibility: EligibilityInput = EligibilityInput()
    live_stream_channel: Annotated[LiveStreamChannel | None, proto_enum("LIVE_STREAM_CHANNEL_")] = (
        None
    )
    policy_name: Annotated[Literal["standard", "accelerated"], resource_id("policies/{policy}")] = (
        Field("standard", alias="policy")
    )
    application_deadline_time: Instant
    selection_deadline_time: Instant | None = None
    submission_deadline_time: Instant
    store_coupons: Annotated[
        list[StoreCouponsInput], unique_items(0, 10), AfterValidator(_one_a_store)
    ] = Field(default_factory=list)

    @field_validator("funding")
    @classmethod
    def _funding_is_of_money(cls, funding: Funding | None, info: ValidationInfo) -> Funding | None:
        reward = info.data.get("reward")
        if funding is not None and reward is not None and reward.money is None:
            raise violation("MONEY_ONLY", "Must be left out: nothing is set aside for a product")
        return funding

    @field_validator("live_stream_channel")
    @classmethod
    def _channel_is_of_a_live_stream(
        cls, channel: LiveStreamChannel | None, info: ValidationInfo
    ) -> LiveStreamChannel | None:
        content_types = info.data.get("content_types", [ContentType.LIVE_STREAM])
        if channel is not None and ContentType.LIVE_STREAM not in content_types:
            raise violation("LIVE_STREAM_ONLY", "Must be left out: no live stream is asked for")
        return channel

    @field_validator("selection_deadline_time")
    @classmethod
    def _selection_follows(cls, time: datetime | None, info: ValidationInfo) -> datetime | None:
        applications_close = info.data.get("application_deadline_time")
        if time is not None and applications_close is not None and time < applications_close:
            raise violation("ORDER", "Must not be before the application deadline")
        return time

    @field_validator("submission_deadline_time")
    @classmethod
    def _submission_follows(cls, time: datetime, info: ValidationInfo) -> datetime:
        """Whoever is selected at the last moment must have time left to work."""
        if {"application_deadline_time", "policy_name"} <= info.data.keys():
            selection_closes = info.data.get("selection_deadline_time") or _selection_closes(
                info.data["policy_name"], info.data["application_deadline_time"]
            )
            if time <= selection_closes:
                raise violation(
                    "ORDER", f"Must be after the selection deadline, {selection_closes}"
                )
        return time

    def selection_time(self) -> datetime:
        return self.selection_deadline_time or _selection_closes(
            self.policy_name, self.application_deadline_time
        )

    def content(self) -> Content:
        return Content(
            title=self.title,
            description=self.description,
            content_types=tuple(self.content_types),
            completion_rule=self.completion_rule,
            requirements=tuple(
                Requirement(f"req-{number}", requirement.text)
                for number, requirement in enumerate(self.requirements, 1)
            ),
            reward=self.reward.reward(),
            funding=self.funding or Funding.ESCROW,
            creator_slots=self.creator_slots,
            account_classes=tuple(self.eligibility.account_classes),
            minimum_level=self.eligibility.minimum_level,
            live_stream_channel=self.live_stream_channel or LiveStreamChannel.CREATOR_ACCOUNT,
            application_deadline_time=self.application_deadline_time,
            selection_deadline_time=self.selection_time(),
            submission_deadline_time=self.submission_deadline_time,
            policy_name=self.policy_name,
            store_coupons=tuple(
                StoreCoupons(one.store_id, tuple(one.coupon_ids)) for one in self.store_coupons
            ),
        )


class CreateTask(Command):
    task: TaskInput


class UpdatedTask(TaskInput):
    id: TaskId = Field(alias="name")
    etag: Annotated[str, bounded_text(1, 40, "REQUIRED")]


class UpdateTask(Command):
    task: UpdatedTask


class GetTask(Command):
    id: TaskId = Field(alias="name")


class DeleteTask(GetTask):
    etag: Annotated[str, bounded_text(0, 40)] = ""


class PublishTask(GetTask):
    etag: Annotated[str, bounded_text(0, 40)] = ""
    request_id: str


class CancelTask(GetTask):
    comment: Annotated[str, bounded_text(1, 1000), Visible]
    request_id: str


class TaskFilterInput(Command):
    states: Annotated[list[Annotated[State, proto_enum("STATE_")]], unique_items(0, 7)] = Field(
        default_factory=list
    )
    content_types: Annotated[
        list[Annotated[ContentType, proto_enum("CONTENT_TYPE_")]], unique_items(0, 6)
    ] = Field(default_factory=list)
    brand_id: Annotated[str | None, resource_id("brands/{brand}")] = Field(
        default=None, alias="brand"
    )
    query: Annotated[str, bounded_text(0, 200), AfterValidator(_of_words)] = ""
    is_takable: bool = False
    reward_kind: Annotated[RewardKind | None, proto_enum("REWARD_KIND_")] = None
    currency_code: Currency | None = None
    minimum_reward: PositiveMoney | None = None
    application_deadline_after: Instant | None = None

    @field_validator("minimum_reward")
    @classmethod
    def _names_the_currency(cls, minimum: Money | None, info: ValidationInfo) -> Money | None:
        currency = info.data.get("currency_code")
        if minimum is not None and currency not in (None, minimum.currency):
            raise violation("CURRENCY", f"Must be in the filter's currency, {currency}")
        return minimum

    @property
    def contradicts_itself(self) -> bool:
        """No product has a currency."""
        return self.reward_kind is RewardKind.PRODUCT and self.currency is not None

    @property
    def currency(self) -> str | None:
        return self.minimum_reward.currency if self.minimum_reward else self.currency_code


class ListTasks(Command):
    filter: TaskFilterInput = TaskFilterInput()
    order_by: Annotated[Order, BeforeValidator(_order)] = Order.NEWEST

    @field_validator("order_by")
    @classmethod
    def _rewards_compare(cls, order: Order, info: ValidationInfo) -> Order:
        filter_ = info.data.get("filter")
        if order is Order.REWARD and filter_ is not None and filter_.currency is None:
            raise violation("CURRENCY", "Rewards compare in one currency: the filter must name it")
        return order


class ApplicationInput(Command):
    message: Annotated[str, bounded_text(0, 1000)] = ""


class CreateApplication(Command):
    task_id: TaskId = Field(alias="parent")
    application: ApplicationInput = ApplicationInput()
    request_id: str


class ApplicationName(Command):
    ids: Annotated[tuple[str, str], resource_ids("tasks/{task}/applications/{application}")] = (
        Field(alias="name")
    )


class ListApplications(Command):
    """`task_id` is None for all tasks: then only of the caller's own applications."""

    task_id: TaskId | None = Field(alias="parent")

    @field_validator("task_id", mode="wrap")
    @classmethod
    def _task_or_all(cls, parent: str, handler: ValidatorFunctionWrapHandler) -> str | None:
        task_id: str | None = None if parent == ALL_TASKS else handler(parent)
        return task_id


class SelectApplications(Command):
    task_id: TaskId = Field(alias="parent")
    applications: Annotated[
        list[Annotated[tuple[str, str], resource_ids("tasks/{task}/applications/{application}")]],
        unique_items(1, 100),
    ]
    request_id: str
