"""Creators and the rules of their admission: pure. Live-stream access is in `live_streams`."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from servicekit.creator_levels import CreatorLevel
from servicekit.errors import FailedPrecondition, Reason, Violation, illegal_state
from services.creators.live_streams import Application
from services.creators.live_streams import State as LiveStreamState

# Who decides where the numbers do.
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
    """The account by which a creator asks to be admitted, as the creator described it."""

    account_class: AccountClass
    handle: str
    post_count: int
    follower_count: int

    @property
    def key(self) -> str:
        """The same for every way to write the handle."""
        return f"{self.account_class} {self.handle.strip().lstrip('@').casefold()}"


@dataclass(frozen=True)
class Statistics:
    """Counts, as of when, and on whose word."""

    post_count: int
    follower_count: int
    observe_time: datetime
    source: Source


@dataclass(frozen=True)
class Refusal:
    """One reason why admission was refused, with the rule behind it."""

    code: RefusalCode
    rule_id: str
    description: str


@dataclass(frozen=True)
class Appeal:
    statement: str
    appeal_time: datetime


@dataclass(frozen=True)
class Creator:
    """`level` is there once admitted, and only then; `account` once applied, and so are the
    `statistics`."""

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
    """What was decided about a creator, for good. `number` is given when it is kept."""

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

# What staff judge, by account class; OTHER is for both.
_JUDGED = {
    RefusalCode.CONTENT_NOT_INTERESTING: (AccountClass.INTERNAL, "R5"),
    RefusalCode.PRODUCT_LINKS_MISSING: (AccountClass.INTERNAL, "R6"),
    RefusalCode.PICTURES_POOR: (AccountClass.INTERNAL, "R7"),
    RefusalCode.PROFILE_NOT_APPEALING: (AccountClass.EXTERNAL, "R10"),
}


def rule_of(code: RefusalCode, account_class: AccountClass) -> str:
    if code is RefusalCode.POSTS_TOO_FEW:
        return _POSTS[account_class].rule_id
    if code is RefusalCode.FOLLOWERS_TOO_FEW:
        return _FOLLOWERS[account_class].rule_id
    return _JUDGED[code][1] if code in _JUDGED else "R43"


def failed_criteria(account_class: AccountClass, statistics: Statistics) -> tuple[Refusal, ...]:
    """Every numeric criterion that the counts do not meet."""
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


def misplaced_code(code: RefusalCode, account_class: AccountClass, field: str) -> Violation | None:
    """Why staff cannot give this reason for such an account, if they cannot."""
    rule_id = rule_of(code, account_class)
    if code in (RefusalCode.POSTS_TOO_FEW, RefusalCode.FOLLOWERS_TOO_FEW):
        return Violation(field, rule_id, f"{code} is found by the platform only")
    judged_class, _ = _JUDGED.get(code, (account_class, rule_id))
    if judged_class is account_class:
        return None
    return Violation(
        field, rule_id, f"{code} is for {judged_class} accounts; this one is {account_class}"
    )


def applied(
    creator: Creator,
    account: Account,
    observed: Statistics | None,
    paypal_receiver: str,
    now: datetime,
) -> tuple[Creator, Decision | None]:
    """The creator after applying for admission: judged by numbers at once, by people later.

    What was observed of that account decides, whatever the creator declares.

    Raises:
        FailedPrecondition: is admitted already, or waits for staff.
    """
    if creator.state not in (State.REGISTERED, State.REFUSED):
        raise illegal_state(creator.name, creator.state, "ApplyForAdmission")
    declared = Statistics(account.post_count, account.follower_count, now, Source.DECLARED)
    statistics = observed or declared
    waiting = replace(
        creator,
        state=State.PENDING_REVIEW,
        account=account,
        statistics=statistics,
        refusals=(),
        refused_by="",
        appeal=None,
        paypal_receiver=paypal_receiver,
        paypal_receiver_name_time=now,
        update_time=now,
    )
    refusals = failed_criteria(account.account_class, statistics)
    return refused(waiting, refusals, SYSTEM, now) if refusals else (waiting, None)


def appealed(creator: Creator, statement: str, now: datetime) -> Creator:
    """
    Raises:
        FailedPrecondition: there is no refusal by staff, or it was appealed before.
    """
    why = ""
    if creator.state is State.APPEALED:
        why = "its appeal waits for a decision already"
    elif creator.state is not State.REFUSED:
        why = "it is not refused"
    elif creator.refused_by == SYSTEM:
        why = "the numbers refused it: it may apply again once they are met"
    elif creator.appeal is not None:
        why = "it was refused on appeal: it may apply again"
    if why:
        raise FailedPrecondition(
            Reason.APPEAL_NOT_ALLOWED,
            f"{creator.name} cannot appeal: {why}",
            metadata={"state": creator.state},
        )
    return replace(creator, state=State.APPEALED, appeal=Appeal(statement, now), update_time=now)


def check_reviewer(creator: Creator, reviewer: str) -> None:
    """
    Raises:
        FailedPrecondition: nothing is to be decided, or not by this reviewer.
    """
    if creator.state not in (State.PENDING_REVIEW, State.APPEALED):
        raise illegal_state(creator.name, creator.state, "ReviewAdmission")
    if creator.state is State.APPEALED and creator.refused_by == reviewer:
        raise FailedPrecondition(
            Reason.REVIEWER_NOT_ALLOWED,
            f"{reviewer} refused {creator.name}: somebody else decides its appeal",
        )


def admitted(
    creator: Creator, level: CreatorLevel, reviewer: str, now: datetime
) -> tuple[Creator, Decision]:
    """
    Raises:
        FailedPrecondition: the counts fall short of what everybody must have.
    """
    if creator.unmet_criteria:
        raise FailedPrecondition(
            Reason.CREATOR_NOT_ELIGIBLE,
            f"{creator.name} cannot be admitted: "
            + " and ".join(unmet.description for unmet in creator.unmet_criteria),
            metadata={"missing": ", ".join(unmet.rule_id for unmet in creator.unmet_criteria)},
        )
    decision = Decision(
        DecisionKind.ADMITTED,
        reviewer,
        now,
        level=level,
        account=creator.account,
        appeal=creator.appeal,
    )
    changed = replace(
        creator, state=State.ADMITTED, refusals=(), refused_by="", level=level, update_time=now
    )
    return changed, decision


def refused(
    creator: Creator, refusals: tuple[Refusal, ...], decider: str, now: datetime
) -> tuple[Creator, Decision]:
    decision = Decision(
        DecisionKind.REFUSED,
        decider,
        now,
        refusals=refusals,
        account=creator.account,
        appeal=creator.appeal,
    )
    changed = replace(
        creator, state=State.REFUSED, refusals=refusals, refused_by=decider, update_time=now
    )
    return changed, decision
