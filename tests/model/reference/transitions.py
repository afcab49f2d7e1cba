"""The expected history, and what follows from a transition at once."""

from dataclasses import replace

from tests.model.reference.clock import ReferenceClock
from tests.model.reference.state import (
    PROPOSABLE,
    SYSTEM,
    AssignmentState,
    ExpectedTransition,
)
from workflows.assignment.model import (
    ClockKind,
    Event,
    ProposalState,
    State,
)


def add(
    a: AssignmentState, event: Event, actor: str, was: State | None = None, *, first: bool = False
) -> None:
    from_state = None if first else (was or a.state)
    a.history.append(ExpectedTransition(event, from_state, a.state, actor, a.now))
    for number in a.pending():
        proposal = a.proposals[number - 1]
        if a.state not in PROPOSABLE[proposal.kind]:
            a.proposals[number - 1] = replace(proposal, state=ProposalState.LAPSED)
    follow_up(a)


def follow_up(a: AssignmentState) -> None:
    """A shipped product counts as a reward sent; a received one completes the assignment."""
    if a.product is None:
        return
    if a.state is State.APPROVED:
        send_reward(a)
    elif a.state is State.REWARDED and a.product[0]:
        complete(a, SYSTEM)


def send_reward(a: AssignmentState) -> None:
    a.state, was = State.REWARDED, a.state
    due = a.terms.policy.completion_window.after(a.now)
    a.clock = ReferenceClock(ClockKind.COMPLETION, a.now, due)
    add(a, Event.REWARD_SENT, SYSTEM, was)


def complete(a: AssignmentState, actor: str) -> None:
    a.state, was = State.COMPLETED, a.state
    due = a.terms.policy.dispute_window.after(a.now)
    a.clock = ReferenceClock(ClockKind.DISPUTE_WINDOW, a.now, due)
    add(a, Event.COMPLETED, actor, was)
