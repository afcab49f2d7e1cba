"""Access to streaming live from one's own account, by application form (R20, R55): pure."""

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
    """What an operator can decide."""

    GRANT = "GRANT"
    REFUSE = "REFUSE"
    REVOKE = "REVOKE"


@dataclass(frozen=True)
class Application:
    """A filled-in form and the latest decision about it."""

    experience: str
    sample_links: tuple[str, ...]
    apply_time: datetime
    state: State = State.PENDING
    comment: str = ""
    decided_by: str = ""
    decide_time: datetime | None = None


# From which state each decision leads where.
_STEPS = {
    Review.GRANT: (State.PENDING, State.GRANTED),
    Review.REFUSE: (State.PENDING, State.REFUSED),
    Review.REVOKE: (State.GRANTED, State.REVOKED),
}


def check_may_apply(creator: str, latest: Application | None) -> None:
    """
    Raises:
        FailedPrecondition: an application waits, or has been granted.
    """
    if latest is not None and latest.state in (State.PENDING, State.GRANTED):
        raise illegal_state(_called(creator), latest.state, "ApplyForLiveStreamAccess")


def reviewed(
    creator: str,
    latest: Application | None,
    review: Review,
    *,
    comment: str,
    reviewer: str,
    now: datetime,
) -> Application:
    """
    Raises:
        FailedPrecondition: nobody asked, or it has been decided otherwise.
    """
    before, after = _STEPS[review]
    if latest is None or latest.state is not before:
        state = latest.state if latest else "ABSENT"
        raise illegal_state(_called(creator), state, f"ReviewLiveStreamAccess {review}")
    return replace(latest, state=after, comment=comment, decided_by=reviewer, decide_time=now)


def _called(creator: str) -> str:
    return f"The live-stream application of {creator}"
