"""Creators and the rules of their admission: pure."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum


class State(StrEnum):
    REGISTERED = "REGISTERED"
    PENDING_REVIEW = "PENDING_REVIEW"
    ADMITTED = "ADMITTED"
    REFUSED = "REFUSED"


class AccountClass(StrEnum):
    INTERNAL = "INTERNAL"
    EXTERNAL = "EXTERNAL"


class Level(StrEnum):
    NEWCOMER = "NEWCOMER"
    JUNIOR = "JUNIOR"
    INTERMEDIATE = "INTERMEDIATE"
    ADVANCED = "ADVANCED"
    EXPERT = "EXPERT"
    STAR = "STAR"


@dataclass(frozen=True)
class Account:
    """The account by which a creator asks to be admitted."""

    account_class: AccountClass
    handle: str
    post_count: int
    follower_count: int


@dataclass(frozen=True)
class Refusal:
    """One reason why admission was refused, with the rule behind it."""

    code: str
    rule_id: str
    description: str


@dataclass(frozen=True)
class Creator:
    id: str
    display_name: str
    mobile_number: str
    dingtalk_id: str
    create_time: datetime
    update_time: datetime
    state: State = State.REGISTERED
    account: Account | None = None
    refusals: tuple[Refusal, ...] = field(default=())
    level: Level | None = None
    has_live_stream_access: bool = False
    paypal_receiver: str = ""


@dataclass(frozen=True)
class _Threshold:
    """A count must be greater than this, strictly."""

    rule_id: str
    minimum: int


# Rules R3, R4 (internal) and R8, R9 (external).
_POSTS = {
    AccountClass.INTERNAL: _Threshold("R3", 20),
    AccountClass.EXTERNAL: _Threshold("R8", 50),
}
_FOLLOWERS = {
    AccountClass.INTERNAL: _Threshold("R4", 10_000),
    AccountClass.EXTERNAL: _Threshold("R9", 5_000),
}


def failed_criteria(account: Account) -> tuple[Refusal, ...]:
    """Every numeric criterion that the account does not meet."""
    posts, followers = _POSTS[account.account_class], _FOLLOWERS[account.account_class]
    refusals = []
    if account.post_count <= posts.minimum:
        refusals.append(
            Refusal(
                "POSTS_TOO_FEW",
                posts.rule_id,
                f"{account.post_count} posts; more than {posts.minimum} are needed",
            )
        )
    if account.follower_count <= followers.minimum:
        refusals.append(
            Refusal(
                "FOLLOWERS_TOO_FEW",
                followers.rule_id,
                f"{account.follower_count} followers; more than {followers.minimum} are needed",
            )
        )
    return tuple(refusals)


def with_application(
    creator: Creator, account: Account, paypal_receiver: str, now: datetime
) -> Creator:
    """The creator after applying for admission: judged by numbers at once, by people later."""
    refusals = failed_criteria(account)
    return replace(
        creator,
        state=State.REFUSED if refusals else State.PENDING_REVIEW,
        account=account,
        refusals=refusals,
        paypal_receiver=paypal_receiver,
        update_time=now,
    )
