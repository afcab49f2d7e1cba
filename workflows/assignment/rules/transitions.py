"""What every rule of an assignment's life is made of: whether a command is legal now, and the step
that it makes. Pure."""

from datetime import datetime, timedelta

from servicekit.errors import illegal_state
from workflows.assignment.model import (
    Assignment,
    Clock,
    ClockKind,
    ConfirmedBy,
    Event,
    Fault,
    Holder,
    ProposalKind,
    ProposalState,
    PublishArticles,
    State,
    Transition,
)

# The creator may still be at work, or the work under review: nothing is owed yet.
UNDECIDED = (State.IN_PROGRESS, State.IN_REVIEW, State.CHANGES_REQUESTED)
# The creator's own time runs.
WORKING = (State.IN_PROGRESS, State.CHANGES_REQUESTED)

# Work is confirmed, and stays so: what follows is about its reward.
_CONFIRMED = (State.APPROVED, State.REWARDED, State.COMPLETED)

# Where each kind of proposal can be made and waits; elsewhere it lapses.
PROPOSABLE = {
    ProposalKind.EXTENSION: WORKING,
    ProposalKind.AMENDMENT: UNDECIDED,
    ProposalKind.CANCELLATION: UNDECIDED,
    ProposalKind.EARLY_SHIPMENT: WORKING,
}


def require(a: Assignment, now: datetime, command: str, *states: State) -> None:
    """The command is legal in this state, and its time is not over: a clock may fire late, when
    the worker was down say, but a deadline does not move for that.

    Raises:
        FailedPrecondition: it is not, or a dispute is open.
    """
    if a.open_dispute_id:
        raise illegal_state(a.name, a.state, command, detail="with an open dispute")
    require_state(a, command, *states)
    if a.clock is not None and a.clock.held_time is None and a.clock.due_time <= now:
        raise illegal_state(a.name, a.state, command, detail="and its time is over")


def require_state(a: Assignment, command: str, *states: State) -> None:
    """For what is legal in a dispute too, and never too late."""
    if a.state not in states:
        raise illegal_state(a.name, a.state, command)


def require_not_over(a: Assignment, command: str) -> None:
    """The last window may be closed while the workflow still gives the reward back."""
    if is_over(a):
        raise illegal_state(a.name, a.state, command, detail="for good")


def is_over(a: Assignment) -> bool:
    """Whether nothing can happen any more: the last window is closed and no dispute is open."""
    return (
        a.state in (State.COMPLETED, State.EXPIRED, State.CANCELLED)
        and a.clock is None
        and not a.open_dispute_id
    )


def confirms_work(transition: Transition) -> bool:
    """Whether the work was approved by it: by the brand or in its stead, by its silence, or by a
    mediator who has it paid, be it in part. What is paid for is the brand's, and readers may see
    it; a mediator who finds that they should not has other outcomes."""
    return transition.to_state is State.APPROVED and transition.from_state not in _CONFIRMED


def publication(a: Assignment, transition: Transition) -> PublishArticles | None:
    """What is to be published because of it: the articles of the version that it confirms."""
    revisions = a.submissions[-1].article_revisions if a.submissions else []
    if not revisions or not confirms_work(transition):
        return None
    return PublishArticles(revisions, transition.time)


def step(
    a: Assignment, event: Event, to_state: State, actor: str, now: datetime, comment: str = ""
) -> Transition:
    a.sequence += 1
    a.update_time = now
    transition = Transition(a.sequence, event, a.state, to_state, actor, comment, now)
    a.state = to_state
    for proposal in a.proposals:
        if proposal.state is ProposalState.PENDING and to_state not in PROPOSABLE[proposal.kind]:
            proposal.state, proposal.answer_time = ProposalState.LAPSED, now
    return transition


def creator_clock(a: Assignment, kind: ClockKind, due_time: datetime, now: datetime) -> Clock:
    """The creator's time; it stands still while a product that was agreed on is missing."""
    clock = Clock(kind, due_time)
    if a.shipment_is_missed:
        clock.hold(Holder.MISSED_SHIPMENT, now)
    return clock


def run_on(a: Assignment, holder: Holder, now: datetime) -> None:
    """A clock that stood still goes on, and the creator's deadline has moved by the pause."""
    if a.clock is None:
        return
    a.clock.run_on(holder, now)
    if a.clock.kind is ClockKind.SUBMISSION and a.clock.held_time is None:
        a.submission_deadline_time = a.clock.due_time


def review_clock(a: Assignment, now: datetime) -> Clock:
    due_time = a.policy.review_window.after(now)
    reminders = [now + timedelta(seconds=seconds) for seconds in a.policy.review_reminders_seconds]
    return Clock(ClockKind.REVIEW, due_time, reminders)


def start_reward_clock(a: Assignment, now: datetime) -> None:
    """A date ahead that both accepted for a product replaces the usual time (R31)."""
    due_time = a.policy.reward_window.after(now)
    if a.shipment_due_time is not None and not a.shipments and a.shipment_due_time > now:
        due_time = a.shipment_due_time
    a.reward_is_overdue = False
    a.reward_due_time = due_time
    a.clock = Clock(ClockKind.REWARD, due_time)


def approve(
    a: Assignment, by: ConfirmedBy, actor: str, now: datetime, comment: str = ""
) -> Transition:
    a.confirmed_by = by
    a.payable_minor = a.terms.reward_minor
    start_reward_clock(a, now)
    if a.shipment_is_missed:  # the date that both accepted has passed: late at once
        a.reward_due_time, a.clock = now, Clock(ClockKind.REWARD, now)
    return step(a, Event.WORK_APPROVED, State.APPROVED, actor, now, comment)


def expire(a: Assignment, actor: str, now: datetime, comment: str = "") -> Transition:
    a.clock = Clock(ClockKind.REOPEN, a.policy.reopen_window.after(now))
    a.fault = Fault.BRAND if a.shipment_is_missed else Fault.CREATOR
    return step(a, Event.EXPIRED, State.EXPIRED, actor, now, comment)


def reopen(
    a: Assignment, deadline_time: datetime, actor: str, now: datetime, comment: str
) -> Transition:
    a.submission_deadline_time = deadline_time
    a.clock = creator_clock(a, ClockKind.SUBMISSION, deadline_time, now)
    a.fault = a.expiry_comment = None
    return step(a, Event.REOPENED, State.IN_PROGRESS, actor, now, comment)


def return_to_review(a: Assignment, actor: str, now: datetime, comment: str = "") -> Transition:
    a.clock = review_clock(a, now)
    return step(a, Event.REWORK_LAPSED, State.IN_REVIEW, actor, now, comment)


def complete(a: Assignment, actor: str, now: datetime, comment: str = "") -> Transition:
    a.clock = Clock(ClockKind.DISPUTE_WINDOW, a.policy.dispute_window.after(now))
    return step(a, Event.COMPLETED, State.COMPLETED, actor, now, comment)


def cancel(a: Assignment, actor: str, now: datetime, comment: str) -> Transition:
    a.clock = None
    return step(a, Event.CANCELLED, State.CANCELLED, actor, now, comment)
