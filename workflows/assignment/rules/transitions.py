"""Building blocks of the rules: legality of a command, and state transitions. Pure."""

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

# Before approval: no reward is owed yet.
UNDECIDED = (State.IN_PROGRESS, State.IN_REVIEW, State.CHANGES_REQUESTED)
# The creator has to submit.
WORKING = (State.IN_PROGRESS, State.CHANGES_REQUESTED)

# The work is confirmed for good.
_CONFIRMED = (State.APPROVED, State.REWARDED, State.COMPLETED)

# The states in which each kind of proposal can be pending; in others it lapses.
PROPOSABLE = {
    ProposalKind.EXTENSION: WORKING,
    ProposalKind.AMENDMENT: UNDECIDED,
    ProposalKind.CANCELLATION: UNDECIDED,
    ProposalKind.EARLY_SHIPMENT: WORKING,
}


def require(a: Assignment, now: datetime, command: str, *states: State) -> None:
    """The command is legal in this state, and the clock is not due: a timer that fires late, for
    example after the worker was down, does not move a deadline.

    Raises:
        FailedPrecondition: it is not, or a dispute is open.
    """
    if a.open_dispute_id:
        raise illegal_state(a.name, a.state, command, detail="with an open dispute")
    require_state(a, command, *states)
    if a.clock is not None and a.clock.held_time is None and a.clock.due_time <= now:
        raise illegal_state(a.name, a.state, command, detail="and its time is over")


def require_state(a: Assignment, command: str, *states: State) -> None:
    """`require` for commands that are legal during a dispute and after the clock is due."""
    if a.state not in states:
        raise illegal_state(a.name, a.state, command)


def require_not_over(a: Assignment, command: str) -> None:
    """Refuses once the last window is closed; the workflow may still be releasing the reward."""
    if is_over(a):
        raise illegal_state(a.name, a.state, command, detail="for good")


def is_over(a: Assignment) -> bool:
    """Whether nothing can happen any more: final state, no clock, no open dispute."""
    return (
        a.state in (State.COMPLETED, State.EXPIRED, State.CANCELLED)
        and a.clock is None
        and not a.open_dispute_id
    )


def confirms_work(transition: Transition) -> bool:
    """Whether the transition approves the work: by the brand, on its behalf, by its silence, or by
    a mediator who orders payment, even in part. Paid work belongs to the brand and may be
    published; a mediator who objects to that chooses another outcome."""
    return transition.to_state is State.APPROVED and transition.from_state not in _CONFIRMED


def publication(a: Assignment, transition: Transition) -> PublishArticles | None:
    """The order to publish the articles of the version that the transition confirms, if any."""
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
    """A clock for the creator; held while an agreed product shipment is missed."""
    clock = Clock(kind, due_time)
    if a.shipment_is_missed:
        clock.hold(Holder.MISSED_SHIPMENT, now)
    return clock


def run_on(a: Assignment, holder: Holder, now: datetime) -> None:
    """Ends a hold; the submission deadline moves by the length of the pause."""
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
    """An accepted shipment date in the future replaces the usual reward window (R31)."""
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
    if a.shipment_is_missed:  # the accepted date has passed: overdue at once
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
