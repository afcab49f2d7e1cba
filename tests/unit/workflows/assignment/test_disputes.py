"""A dispute over an assignment: who may open it, what it holds, and what a decision does."""

from collections.abc import Callable
from copy import deepcopy

import pytest

from servicekit.errors import FailedPrecondition, Reason
from tests.unit.workflows.samples import (
    BRAND,
    CREATOR,
    DAY,
    DEADLINE,
    LATER,
    MEDIATOR,
    REACHED,
    after_rounds,
    approved,
    begun,
    completed,
    disputed,
    due,
    expired,
    overdue,
    rewarded,
    reworking,
    submitted,
)
from workflows.assignment.commands import OpenDispute
from workflows.assignment.model import SYSTEM, Assignment, ClockKind, ConfirmedBy, Event, State
from workflows.assignment.rules import disputes, submissions, transitions
from workflows.dispute.model import Decision, Ground, Outcome
from workflows.policy import STANDARD, Span

SIDES = {
    Ground.LATE_REWARD: CREATOR,
    Ground.WRONG_PRODUCT: CREATOR,
    Ground.UNFAIR_CHANGE_REQUEST: CREATOR,
    Ground.MATERIALS_NOT_PROVIDED: CREATOR,
    Ground.WORK_DOES_NOT_CONFORM: BRAND,
    Ground.FRAUD: BRAND,
    Ground.REVIEW_SILENCE: SYSTEM,
}
# In the plain states; rounds of changes and a late reward are tested below.
HOLDS_IN = {
    Ground.LATE_REWARD: set(),
    Ground.WRONG_PRODUCT: set(),
    Ground.UNFAIR_CHANGE_REQUEST: {State.CHANGES_REQUESTED},
    Ground.MATERIALS_NOT_PROVIDED: {State.IN_PROGRESS, State.EXPIRED},
    Ground.WORK_DOES_NOT_CONFORM: set(),
    Ground.FRAUD: set(State) - {State.CANCELLED},
}


def _open(a: Assignment, ground: Ground, opener: str) -> Reason | None:
    """Why it is refused, if it is; what is refused changes nothing."""
    untouched = deepcopy(a)
    try:
        dispute, transition = disputes.open_dispute(
            a, OpenDispute("d1", ground, "It is not right", opener), LATER
        )
    except FailedPrecondition as refused:
        assert a == untouched
        return refused.reason
    assert a.open_dispute_id == dispute.id == "d1"
    assert (transition.event, transition.to_state) == (Event.DISPUTE_OPENED, untouched.state)
    assert transition.actor == opener
    return None


@pytest.mark.parametrize("reached", State)
@pytest.mark.parametrize("ground", HOLDS_IN)
def test_a_ground_holds_in_its_states(ground: Ground, reached: State) -> None:
    refused = _open(REACHED[reached](), ground, SIDES[ground])
    if reached is State.CANCELLED:
        assert refused is not None
    elif reached in HOLDS_IN[ground]:
        assert refused is None
    else:
        assert refused is Reason.DISPUTE_NOT_ALLOWED


@pytest.mark.parametrize("ground", Ground)
@pytest.mark.parametrize("opener", [BRAND, CREATOR])
def test_a_ground_belongs_to_one_side(ground: Ground, opener: str) -> None:
    if SIDES[ground] != opener:
        assert _open(reworking(), ground, opener) is Reason.DISPUTE_NOT_ALLOWED


@pytest.mark.parametrize(
    ("reached", "ground", "refused"),
    [
        (overdue, Ground.LATE_REWARD, None),  # R51
        (approved, Ground.LATE_REWARD, Reason.DISPUTE_NOT_ALLOWED),
        (lambda: after_rounds(2), Ground.WORK_DOES_NOT_CONFORM, None),
        (lambda: after_rounds(1), Ground.WORK_DOES_NOT_CONFORM, Reason.DISPUTE_NOT_ALLOWED),
        (begun, Ground.FRAUD, None),
        (submitted, Ground.MATERIALS_NOT_PROVIDED, Reason.DISPUTE_NOT_ALLOWED),
    ],
)
def test_a_ground_needs_its_facts(
    reached: Callable[[], Assignment], ground: Ground, refused: Reason | None
) -> None:
    assert _open(reached(), ground, SIDES[ground]) is refused


def test_one_dispute_is_open_at_a_time() -> None:
    a = disputed(reworking(), Ground.UNFAIR_CHANGE_REQUEST)
    assert _open(a, Ground.FRAUD, BRAND) is Reason.DISPUTE_ALREADY_OPEN


def test_nothing_is_disputed_after_the_last_window() -> None:
    a = completed()
    assert _open(deepcopy(a), Ground.FRAUD, BRAND) is None
    submissions.fire(a, due(a))
    assert _open(a, Ground.FRAUD, BRAND) is Reason.ILLEGAL_STATE


def test_a_dispute_knows_its_times_and_its_reward_r52() -> None:
    dispute, _ = disputes.open_dispute(
        begun(), OpenDispute("d1", Ground.FRAUD, "Why", BRAND), LATER
    )
    assert dispute.answer_due_time == LATER + 5 * DAY
    assert dispute.resolution_due_time == LATER.replace(month=4)
    assert (dispute.reward_currency, dispute.reward_minor) == ("USD", 10_000)


@pytest.mark.parametrize(
    ("reached", "allowed"),
    [
        (begun, list(Outcome)),
        (submitted, list(Outcome)),
        (expired, list(Outcome)),
        (approved, [one for one in Outcome if one is not Outcome.REDO]),  # it may be unsent
        (rewarded, [Outcome.PAY_IN_FULL, Outcome.DISMISS]),
        (completed, [Outcome.PAY_IN_FULL, Outcome.DISMISS]),
    ],
)
def test_confirmed_work_leaves_only_its_pay_to_decide(
    reached: Callable[[], Assignment], allowed: list[Outcome]
) -> None:
    dispute, _ = disputes.open_dispute(
        reached(), OpenDispute("d1", Ground.FRAUD, "x", BRAND), LATER
    )
    assert dispute.allowed_outcomes == allowed


@pytest.mark.parametrize("reached", [begun, submitted, reworking])
def test_what_was_left_of_a_clock_continues_afterwards(reached: Callable[[], Assignment]) -> None:
    a = reached()
    assert a.clock is not None
    due_time, reminders = a.clock.due_time, list(a.clock.reminder_times)
    disputed(a, Ground.FRAUD, LATER)
    assert a.clock.next_time is None
    assert submissions.fire(a, due_time + 100 * DAY) == (None, None)
    disputes.close_dispute(a, None, MEDIATOR, LATER + 7 * DAY)
    assert a.clock.due_time == due_time + 7 * DAY
    assert a.clock.reminder_times == [time + 7 * DAY for time in reminders]
    assert a.clock.next_time == ([*a.clock.reminder_times, a.clock.due_time])[0]


@pytest.mark.parametrize("reached", [approved, rewarded, completed, expired])
def test_the_clocks_of_reward_and_windows_run_on(reached: Callable[[], Assignment]) -> None:
    a = reached()
    before = due(a)
    disputed(a, Ground.FRAUD)
    assert a.clock is not None
    assert a.clock.next_time == before


def test_an_assignment_with_an_open_dispute_is_not_over() -> None:
    a = disputed(completed(), Ground.FRAUD)
    submissions.fire(a, due(a))
    assert not transitions.is_over(a)
    disputes.close_dispute(a, Decision(Outcome.DISMISS, "No"), MEDIATOR, LATER)
    assert transitions.is_over(a)


def test_only_the_brands_dispute_holds_the_payout() -> None:
    assert disputed(approved(), Ground.FRAUD).payout_is_held
    assert not disputed(overdue(), Ground.LATE_REWARD).payout_is_held
    assert not approved().payout_is_held


def _decided(a: Assignment, decision: Decision | None, now: object = LATER) -> Assignment:
    held = a.state
    transition = disputes.close_dispute(a, decision, MEDIATOR, now)  # type: ignore[arg-type]  # a time
    assert transition.from_state is held
    assert (a.open_dispute_id, a.open_dispute_actor) == ("", "")
    assert transition.actor == (MEDIATOR if decision else BRAND)
    return a


def _disputed_review() -> Assignment:
    return disputed(after_rounds(2), Ground.WORK_DOES_NOT_CONFORM)


def test_pay_in_full_confirms_in_the_mediators_name() -> None:
    a = _decided(_disputed_review(), Decision(Outcome.PAY_IN_FULL, "It conforms"))
    assert (a.state, a.confirmed_by) == (State.APPROVED, ConfirmedBy.MEDIATOR)
    assert a.payable_minor == 10_000
    assert a.clock is not None
    assert (a.clock.kind, a.clock.due_time) == (ClockKind.REWARD, LATER + 5 * DAY)


def test_pay_partial_lowers_what_is_payable() -> None:
    decision = Decision(Outcome.PAY_PARTIAL, "Half", amount_minor=5_000, amount_currency="USD")
    a = _decided(_disputed_review(), decision)
    assert (a.state, a.payable_minor) == (State.APPROVED, 5_000)


def test_redo_gives_the_creator_a_new_deadline() -> None:
    decision = Decision(Outcome.REDO, "Again", deadline_time=DEADLINE + 9 * DAY)
    a = _decided(_disputed_review(), decision)
    assert a.state is State.CHANGES_REQUESTED
    assert a.clock is not None
    assert (a.clock.kind, a.clock.due_time) == (ClockKind.REWORK, DEADLINE + 9 * DAY)


def test_cancelling_without_pay_ends_it() -> None:
    a = _decided(_disputed_review(), Decision(Outcome.CANCEL_WITHOUT_PAY, "Fraud"))
    assert (a.state, a.has_payout) == (State.CANCELLED, False)
    assert transitions.is_over(a)


def test_dismissing_changes_nothing() -> None:
    a = _decided(_disputed_review(), Decision(Outcome.DISMISS, "No"), LATER + DAY)
    assert a.state is State.IN_REVIEW
    assert due(a) == LATER + 6 * DAY


def test_a_withdrawn_dispute_changes_nothing_and_names_its_opener() -> None:
    a = _decided(_disputed_review(), None, LATER + DAY)
    assert (a.state, due(a)) == (State.IN_REVIEW, LATER + 6 * DAY)


def test_paying_what_is_paid_already_pays_nothing_more() -> None:
    a = disputed(overdue(), Ground.LATE_REWARD)
    payable = a.payable_minor
    disputes.close_dispute(a, Decision(Outcome.PAY_IN_FULL, "Pay now"), MEDIATOR, LATER)
    assert (a.state, a.payable_minor) == (State.APPROVED, payable)


def test_the_creators_dispute_never_lowers_what_is_due() -> None:
    dispute, _ = disputes.open_dispute(
        overdue(), OpenDispute("d1", Ground.LATE_REWARD, "x", CREATOR), LATER
    )
    assert dispute.allowed_outcomes == [Outcome.PAY_IN_FULL, Outcome.DISMISS]


PARTIAL = Decision(Outcome.PAY_PARTIAL, "Half", amount_minor=5_000, amount_currency="USD")
CANCEL = Decision(Outcome.CANCEL_WITHOUT_PAY, "Fraud")


def test_what_is_held_before_it_is_sent_can_be_lowered_or_taken_back() -> None:
    a = disputed(approved(), Ground.FRAUD)
    assert disputes.settlement(a, PARTIAL) == 5_000
    lowered = _decided(a, PARTIAL)
    assert (lowered.state, lowered.payable_minor) == (State.APPROVED, 5_000)
    again, _ = disputes.open_dispute(a, OpenDispute("d2", Ground.FRAUD, "x", BRAND), LATER)
    assert again.reward_minor == 5_000
    assert disputes.settlement(a, CANCEL) == 0
    assert transitions.is_over(_decided(a, CANCEL))


@pytest.mark.parametrize("decision", [PARTIAL, CANCEL])
def test_a_decision_that_comes_after_the_money_has_left_changes_nothing(decision: Decision) -> None:
    a = disputed(approved(), Ground.FRAUD)
    before = deepcopy(a)
    disputes.close_dispute(a, decision, MEDIATOR, LATER, is_overtaken=True)
    assert (a.state, a.payable_minor, a.clock) == (State.APPROVED, 10_000, before.clock)
    assert disputes.report_overtaken(a, LATER).event is Event.DECISION_OVERTAKEN


@pytest.mark.parametrize("decision", [PARTIAL, CANCEL])
def test_what_is_not_due_yet_is_settled_without_its_payout(decision: Decision) -> None:
    assert disputes.settlement(_disputed_review(), decision) is None


def test_the_reward_clock_is_the_policys() -> None:
    assert Span(seconds=5 * 86_400.0) == STANDARD.reward_window


def test_each_sides_disputes_are_limited() -> None:
    a = begun()
    for number in range(10):
        command = OpenDispute(f"d{number}", Ground.FRAUD, "Again", BRAND)
        disputes.open_dispute(a, command, LATER)
        disputes.close_dispute(a, None, "", LATER)
    with pytest.raises(FailedPrecondition) as refused:
        disputes.open_dispute(a, OpenDispute("d10", Ground.FRAUD, "Again", BRAND), LATER)
    assert refused.value.reason == Reason.LIMIT_REACHED
    disputes.open_dispute(
        a, OpenDispute("d11", Ground.MATERIALS_NOT_PROVIDED, "None", CREATOR), LATER
    )


def test_a_dispute_ended_by_force_is_nobodys_withdrawal() -> None:
    a = disputed(begun(), Ground.FRAUD)
    transition = disputes.close_dispute(a, None, SYSTEM, LATER)
    assert (transition.event, transition.actor) == (Event.DISPUTE_WITHDRAWN, SYSTEM)
    assert transition.comment == "Ended by force"
