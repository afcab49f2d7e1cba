"""Admission: how an application, an appeal and a review change a creator.

A decision that must be recorded is returned beside the changed creator.
"""

from dataclasses import replace
from datetime import datetime

from servicekit.creator_levels import CreatorLevel
from servicekit.errors import FailedPrecondition, Reason, illegal_state
from services.creators.domain import (
    SYSTEM,
    Account,
    Appeal,
    Creator,
    Decision,
    DecisionKind,
    Refusal,
    Source,
    State,
    Statistics,
    failed_criteria,
)


def apply(
    creator: Creator,
    account: Account,
    observed: Statistics | None,
    paypal_receiver: str,
    now: datetime,
) -> tuple[Creator, Decision | None]:
    """Applies for admission: REFUSED at once if a numeric criterion fails, else PENDING_REVIEW.

    Statistics that a platform observed of this account count instead of the declared ones.

    Raises:
        FailedPrecondition: the creator is admitted, or an application or appeal is pending.
    """
    if creator.state not in (State.REGISTERED, State.REFUSED):
        raise illegal_state(creator.name, creator.state, "ApplyForAdmission")
    declared = Statistics(account.post_count, account.follower_count, now, Source.DECLARED)
    statistics = observed or declared
    pending = replace(
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
    return refuse(pending, refusals, SYSTEM, now) if refusals else (pending, None)


def appeal(creator: Creator, statement: str, now: datetime) -> Creator:
    """Appeals against a refusal by staff.

    Raises:
        FailedPrecondition: the creator is not refused by staff, or this was the decision on appeal.
    """
    why = ""
    if creator.state is State.APPEALED:
        why = "its appeal is pending"
    elif creator.state is not State.REFUSED:
        why = "it is not refused"
    elif creator.refused_by == SYSTEM:
        why = "it was refused by the numeric criteria: it may apply again once they are met"
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
        FailedPrecondition: no application or appeal is pending, or the appeal is against a refusal
            by this reviewer.
    """
    if creator.state not in (State.PENDING_REVIEW, State.APPEALED):
        raise illegal_state(creator.name, creator.state, "ReviewAdmission")
    if creator.state is State.APPEALED and creator.refused_by == reviewer:
        raise FailedPrecondition(
            Reason.REVIEWER_NOT_ALLOWED,
            f"{reviewer} refused {creator.name}: another operator must decide the appeal",
        )


def admit(
    creator: Creator, level: CreatorLevel, reviewer: str, now: datetime
) -> tuple[Creator, Decision]:
    """
    Raises:
        FailedPrecondition: a numeric criterion is not met.
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


def refuse(
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
