"""Command models of the task RPCs, but for ListTasks, which is in `listing`."""

import re
from datetime import datetime
from typing import Annotated, Literal, Self, cast

from pydantic import (
    AfterValidator,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from servicekit.commands import (
    Command,
    Instant,
    Link,
    PositiveMoney,
    Visible,
    between,
    bounded_text,
    proto_enum,
    resource_id,
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
    StoreCoupons,
)
from workflows.assignment.model import Funding, Requirement
from workflows.policy import POLICIES

TaskId = Annotated[str, resource_id("tasks/{task}")]


def _selection_closes(policy_name: str, applications_close: datetime) -> datetime:
    """The default of `selection_deadline_time`."""
    return POLICIES[policy_name].selection_window.after(applications_close)


def _store_id(value: str) -> str:
    if re.fullmatch(r"[0-9]{1,20}", value) is None:
        raise violation("R90", "Must be the store's number: 1 to 20 digits")
    return value


def _coupon_id(value: str) -> str:
    if re.fullmatch(r"[A-Za-z0-9_-]{1,64}", value) is None:
        raise violation("R90", "Must be 1 to 64 letters, digits, `-` and `_`")
    return value


def _names_each_store_once(stores: "list[StoreCouponsInput]") -> "list[StoreCouponsInput]":
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
    """A draft's content. Deadlines must be in order; that they are in the future is checked when
    the task is published."""

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
        list[StoreCouponsInput], unique_items(0, 10), AfterValidator(_names_each_store_once)
    ] = Field(default_factory=list)

    @field_validator("funding")
    @classmethod
    def _funding_needs_money(cls, funding: Funding | None, info: ValidationInfo) -> Funding | None:
        reward = info.data.get("reward")
        if funding is not None and reward is not None and reward.money is None:
            raise violation("MONEY_ONLY", "Must be left out: a product needs no funding")
        return funding

    @field_validator("live_stream_channel")
    @classmethod
    def _channel_needs_a_live_stream(
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
        """A creator selected at the last moment must have time left to work."""
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


class EndSelection(GetTask):
    comment: Annotated[str, bounded_text(0, 1000), Visible] = ""
    request_id: str
