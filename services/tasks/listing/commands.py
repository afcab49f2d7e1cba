"""Command model of ListTasks."""

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator

from servicekit.commands import (
    Command,
    Currency,
    Instant,
    PositiveMoney,
    bounded_text,
    proto_enum,
    resource_id,
    unique_items,
    violation,
)
from servicekit.money import Money
from services.tasks.domain import ContentType, State
from services.tasks.listing.domain import Order, RewardKind


def _has_a_word(query: str) -> str:
    if query and not any(character.isalnum() for character in query):
        raise violation("WORDS", "Must contain a word to search for")
    return query


def _order(order_by: object) -> Order:
    """AIP-132: redundant spaces are insignificant."""
    try:
        return Order(" ".join(str(order_by).split()))
    except ValueError:
        allowed = ", ".join(f"`{order}`" for order in Order)
        raise violation("AIP-132", f"Must be one of {allowed}") from None


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
    query: Annotated[str, bounded_text(0, 200), AfterValidator(_has_a_word)] = ""
    is_takable: bool = False
    reward_kind: Annotated[RewardKind | None, proto_enum("REWARD_KIND_")] = None
    currency_code: Currency | None = None
    minimum_reward: PositiveMoney | None = None
    application_deadline_after: Instant | None = None

    @field_validator("minimum_reward")
    @classmethod
    def _is_in_the_same_currency(cls, minimum: Money | None, info: ValidationInfo) -> Money | None:
        currency = info.data.get("currency_code")
        if minimum is not None and currency not in (None, minimum.currency):
            raise violation("CURRENCY", f"Must be in the filter's currency, {currency}")
        return minimum

    @property
    def contradicts_itself(self) -> bool:
        """Whether no task can match: products have no currency."""
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
