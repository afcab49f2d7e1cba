"""Creators, decisions about them, and the criteria of admission.

What changes an admission is in `admission`, live-stream access in `live_streams`.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from servicekit.creator_levels import CreatorLevel
from servicekit.errors import Violation
from services.creators.live_streams import Application
from services.creators.live_streams import State as LiveStreamState

# `decided_by` and `refused_by` where the numeric criteria decide.
SYSTEM = "system"


class State(StrEnum):
    REGISTERED = "REGISTERED"
    PENDING_REVIEW = "PENDING_REVIEW"
    ADMITTED = "ADMITTED"
    REFUSED = "REFUSED"
    APPEALED = "APPEALED"


class AccountClass(StrEnum):
    INTERNAL = "INTERNAL"
    EXTERNAL = "EXTERNAL"


class RefusalCode(StrEnum):
    POSTS_TOO_FEW = "POSTS_TOO_FEW"
    FOLLOWERS_TOO_FEW = "FOLLOWERS_TOO_FEW"
    CONTENT_NOT_INTERESTING = "CONTENT_NOT_INTERESTING"
    PRODUCT_LINKS_MISSING = "PRODUCT_LINKS_MISSING"
    PICTURES_POOR = "PICTURES_POOR"
    PROFILE_NOT_APPEALING = "PROFILE_NOT_APPEALING"
    OTHER = "OTHER"


class DecisionKind(StrEnum):
    ADMITTED = "ADMITTED"
    REFUSED = "REFUSED"
    LEVEL_CHANGED = "LEVEL_CHANGED"
    LIVE_STREAM_GRANTED = "LIVE_STREAM_GRANTED"
    LIVE_STREAM_REFUSED = "LIVE_STREAM_REFUSED"
    LIVE_STREAM_REVOKED = "LIVE_STREAM_REVOKED"


class Source(StrEnum):
    DECLARED = "DECLARED"
    OBSERVED = "OBSERVED"


@dataclass(frozen=True)
class Account:
    """The social account of an application for admission, as the creator declared it."""

    account_class: AccountClass
    handle: str
    post_count: int
    follower_count: int

    @property
    def key(self) -> str:
        """Identifies the account; the same for `@Anna`, `anna` and `ANNA`."""
        return f"{self.account_class} {self.handle.strip().lstrip('@').casefold()}"


@dataclass(frozen=True)
class Statistics:
    """Counts of an account at `observe_time`, declared by the creator or observed by a platform."""

    post_count: int
    follower_count: int
    observe_time: datetime
    source: Source


@dataclass(frozen=True)
class Refusal:
    """One reason for refusing admission, and the rule it follows from."""

    code: RefusalCode
    rule_id: str
    description: str


@dataclass(frozen=True)
class Appeal:
    statement: str
    appeal_time: datetime


@dataclass(frozen=True)
class Creator:
    """`level` is set only while ADMITTED, `account` and `statistics` after an application."""

    id: str
    display_name: str
    mobile_number: str
    dingtalk_id: str
    create_time: datetime
    update_time: datetime
    state: State = State.REGISTERED
    account: Account | None = None
    statistics: Statistics | None = None
    refusals: tuple[Refusal, ...] = ()
    refused_by: str = ""
    appeal: Appeal | None = None
    level: CreatorLevel | None = None
    live_stream_application: Application | None = None
    paypal_receiver: str = ""
    paypal_receiver_name_time: datetime | None = None

    @property
    def name(self) -> str:
        return f"creators/{self.id}"

    @property
    def has_live_stream_access(self) -> bool:
        application = self.live_stream_application
        return application is not None and application.state is LiveStreamState.GRANTED

    @property
    def unmet_criteria(self) -> tuple[Refusal, ...]:
        if self.account is None or self.statistics is None:
            return ()
        return failed_criteria(self.account.account_class, self.statistics)


@dataclass(frozen=True)
class Decision:
    """One decision about a creator; never changed. The store assigns `number`, from 1."""

    kind: DecisionKind
    decided_by: str
    decide_time: datetime
    comment: str = ""
    refusals: tuple[Refusal, ...] = ()
    level: CreatorLevel | None = None
    account: Account | None = None
    appeal: Appeal | None = None
    live_stream_application: Application | None = None
    number: int = 0


@dataclass(frozen=True)
class _Threshold:
    """A count must be greater than `minimum`, not equal to it."""

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

# Reasons that staff give, and the account class they apply to; OTHER applies to both.
_STAFF_CODES = {
    RefusalCode.CONTENT_NOT_INTERESTING: (AccountClass.INTERNAL, "R5"),
    RefusalCode.PRODUCT_LINKS_MISSING: (AccountClass.INTERNAL, "R6"),
    RefusalCode.PICTURES_POOR: (AccountClass.INTERNAL, "R7"),
    RefusalCode.PROFILE_NOT_APPEALING: (AccountClass.EXTERNAL, "R10"),
}


def rule_of(code: RefusalCode, account_class: AccountClass) -> str:
    """The id of the rule that a refusal with this code follows from."""
    if code is RefusalCode.POSTS_TOO_FEW:
        return _POSTS[account_class].rule_id
    if code is RefusalCode.FOLLOWERS_TOO_FEW:
        return _FOLLOWERS[account_class].rule_id
    return _STAFF_CODES[code][1] if code in _STAFF_CODES else "R43"


def failed_criteria(account_class: AccountClass, statistics: Statistics) -> tuple[Refusal, ...]:
    """A refusal for each numeric criterion (R3, R4, R8, R9) that the counts do not meet."""
    posts, followers = _POSTS[account_class], _FOLLOWERS[account_class]
    refusals = []
    if statistics.post_count <= posts.minimum:
        refusals.append(
            Refusal(
                RefusalCode.POSTS_TOO_FEW,
                posts.rule_id,
                f"{statistics.post_count} posts; more than {posts.minimum} are needed",
            )
        )
    if statistics.follower_count <= followers.minimum:
        refusals.append(
            Refusal(
                RefusalCode.FOLLOWERS_TOO_FEW,
                followers.rule_id,
                f"{statistics.follower_count} followers; more than {followers.minimum} are needed",
            )
        )
    return tuple(refusals)


def code_violation(code: RefusalCode, account_class: AccountClass, field: str) -> Violation | None:
    """The violation if staff may not refuse an account of this class with this code, else None."""
    rule_id = rule_of(code, account_class)
    if code in (RefusalCode.POSTS_TOO_FEW, RefusalCode.FOLLOWERS_TOO_FEW):
        return Violation(field, rule_id, f"{code} is set by the platform only")
    code_class, _ = _STAFF_CODES.get(code, (account_class, rule_id))
    if code_class is account_class:
        return None
    return Violation(
        field, rule_id, f"{code} is for {code_class} accounts; this one is {account_class}"
    )
