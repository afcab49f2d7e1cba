"""Live-stream access on the creator's own account, by application form (R20, R55)."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from servicekit.errors import illegal_state


class State(StrEnum):
    PENDING = "PENDING"
    GRANTED = "GRANTED"
    REFUSED = "REFUSED"
    REVOKED = "REVOKED"


class Review(StrEnum):
    """An operator's decision."""

    GRANT = "GRANT"
    REFUSE = "REFUSE"
    REVOKE = "REVOKE"


@dataclass(frozen=True)
class Application:
    """An application form and the latest decision on it."""

    experience: str
    sample_links: tuple[str, ...]
    apply_time: datetime
    state: State = State.PENDING
    comment: str = ""
    decided_by: str = ""
    decide_time: datetime | None = None


# Each decision: the state it requires, and the state it leads to.
_TRANSITIONS = {
    Review.GRANT: (State.PENDING, State.GRANTED),
    Review.REFUSE: (State.PENDING, State.REFUSED),
    Review.REVOKE: (State.GRANTED, State.REVOKED),
}


def check_may_apply(creator: str, latest: Application | None) -> None:
    """
    Raises:
        FailedPrecondition: an application is pending or granted.
    """
    if latest is not None and latest.state in (State.PENDING, State.GRANTED):
        raise illegal_state(_application_name(creator), latest.state, "ApplyForLiveStreamAccess")


def review(
    creator: str,
    latest: Application | None,
    decision: Review,
    *,
    comment: str,
    reviewer: str,
    now: datetime,
) -> Application:
    """
    Raises:
        FailedPrecondition: there is no application in the state that the decision requires.
    """
    before, after = _TRANSITIONS[decision]
    if latest is None or latest.state is not before:
        state = latest.state if latest else "ABSENT"
        raise illegal_state(_application_name(creator), state, f"ReviewLiveStreamAccess {decision}")
    return replace(latest, state=after, comment=comment, decided_by=reviewer, decide_time=now)


def _application_name(creator: str) -> str:
    return f"The live-stream application of {creator}"
