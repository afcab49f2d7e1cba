"""What an operator can do in each state that waits for somebody, so that nothing gets stuck."""

from copy import deepcopy
from datetime import datetime

import pytest

from servicekit.errors import FailedPrecondition, Reason
from tests.unit.workflows.samples import (
    DAY,
    DEADLINE,
    LATER,
    OPERATOR,
    REACHED,
    begun,
    disputed,
    due,
    overdue,
    reworking,
    submitted,
)
from workflows.assignment.commands import OverrideAssignment
from workflows.assignment.model import Action, ConfirmedBy, Event, Fault, State
from workflows.assignment.rules import overrides, submissions, transitions
from workflows.dispute.model import Ground

NEW_TIME = DEADLINE + 20 * DAY

# Action -> state before -> event and state after.
LEADS: dict[Action, dict[State, tuple[Event, State]]] = {
    Action.MOVE_CLOCK: {one: (Event.CLOCK_MOVED, one) for one in set(State) - {State.CANCELLED}},
    Action.APPROVE: {State.IN_REVIEW: (Event.WORK_APPROVED, State.APPROVED)},
    Action.RETURN_TO_REVIEW: {State.CHANGES_REQUESTED: (Event.REWORK_LAPSED, State.IN_REVIEW)},
    Action.EXPIRE: {State.IN_PROGRESS: (Event.EXPIRED, State.EXPIRED)},
    Action.REOPEN: {State.EXPIRED: (Event.REOPENED, State.IN_PROGRESS)},
    Action.CANCEL: dict.fromkeys(transitions.UNDECIDED, (Event.CANCELLED, State.CANCELLED)),
    Action.RETRY_REWARD: {State.APPROVED: (Event.REWARD_RETRIED, State.APPROVED)},
    Action.COMPLETE: {State.REWARDED: (Event.COMPLETED, State.COMPLETED)},
    Action.CLOSE: {
        State.EXPIRED: (Event.CLOSED, State.EXPIRED),
        State.COMPLETED: (Event.CLOSED, State.COMPLETED),
    },
}


def order(action: Action, time: datetime | None = NEW_TIME) -> OverrideAssignment:
    return OverrideAssignment(OPERATOR, action, "They called us", time)


@pytest.mark.parametrize("reached", list(State))
@pytest.mark.parametrize("action", list(Action))
def test_what_an_operator_can_do_where(action: Action, reached: State) -> None:
    a = REACHED[reached]()
    before = deepcopy(a)
    if reached in LEADS[action]:
        transition = overrides.override_assignment(a, order(action), LATER)
        assert (transition.event, transition.to_state) == LEADS[action][reached]
        assert (transition.actor, "They called us" in transition.comment) == (OPERATOR, True)
    else:
        with pytest.raises(FailedPrecondition):
            overrides.override_assignment(a, order(action), LATER)
        assert a == before


def test_every_waiting_state_has_an_override() -> None:
    waiting = set(State) - {State.CANCELLED}
    assert waiting == {one for action in set(Action) - {Action.MOVE_CLOCK} for one in LEADS[action]}


@pytest.mark.parametrize("action", [Action.MOVE_CLOCK, Action.REOPEN])
@pytest.mark.parametrize("time", [None, LATER])
def test_a_new_time_lies_ahead(action: Action, time: datetime | None) -> None:
    a = REACHED[State.EXPIRED]()
    with pytest.raises(FailedPrecondition) as refused:
        overrides.override_assignment(a, order(action, time), LATER)
    assert refused.value.reason == Reason.DEADLINE_NOT_LATER


def test_a_moved_clock_fires_at_its_new_time() -> None:
    a = begun()
    overrides.override_assignment(a, order(Action.MOVE_CLOCK), LATER)
    assert a.submission_deadline_time == due(a) == NEW_TIME
    assert submissions.fire(a, DEADLINE) == (None, None)
    submissions.fire(a, NEW_TIME)
    assert (a.state, a.fault) == (State.EXPIRED, Fault.CREATOR)


def test_a_review_moved_closer_reminds_no_more_than_it_can() -> None:
    a = submitted()
    overrides.override_assignment(a, order(Action.MOVE_CLOCK, LATER + 3 * DAY), LATER)
    assert a.clock is not None
    assert [time - LATER for time in a.clock.reminder_times] == [2 * DAY]


def test_an_operator_approves_for_the_brand() -> None:
    a = submitted()
    overrides.override_assignment(a, order(Action.APPROVE), LATER)
    assert (a.confirmed_by, a.has_payout) == (ConfirmedBy.OPERATOR, True)


def test_submitted_work_does_not_expire() -> None:
    with pytest.raises(FailedPrecondition):
        overrides.override_assignment(reworking(), order(Action.EXPIRE), LATER)


@pytest.mark.parametrize("action", sorted(set(Action) - {Action.RETRY_REWARD}))
def test_a_dispute_is_a_mediators_to_decide(action: Action) -> None:
    for reached in LEADS[action]:
        a = disputed(REACHED[reached](), Ground.FRAUD)
        with pytest.raises(FailedPrecondition):
            overrides.override_assignment(a, order(action), LATER)


def test_a_reward_is_retried_in_a_dispute_too() -> None:
    a = disputed(overdue(), Ground.LATE_REWARD)
    transition = overrides.override_assignment(a, order(Action.RETRY_REWARD), LATER)
    assert transition.event is Event.REWARD_RETRIED
