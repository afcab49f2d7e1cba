"""Every transition, refusal and clock of a dispute."""

from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from servicekit.errors import FailedPrecondition, InvalidArgument, PermissionDenied, Reason
from workflows.dispute import rules
from workflows.dispute.model import Clock, Decision, Dispute, Event, Ground, Outcome, State

OPENED = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = OPENED + timedelta(hours=5)


def dispute(**changes: Any) -> Dispute:
    values: dict[str, Any] = {
        "id": "d1",
        "assignment_id": "a1",
        "brand_id": "acme",
        "creator_id": "bea",
        "opener": "creators/bea",
        "ground": Ground.LATE_REWARD,
        "statement": "Nothing arrived",
        "create_time": OPENED,
        "resolution_due_time": OPENED + timedelta(days=30),
        "answer_due_time": OPENED + timedelta(days=5),
        "allowed_outcomes": list(Outcome),
        "reward_currency": "USD",
        "reward_minor": 10_000,
    }
    return Dispute(**values | changes)


def claimed(**changes: Any) -> Dispute:
    return dispute(state=State.UNDER_REVIEW, mediator="staff/mia", sequence=2, **changes)


def decision(outcome: Outcome = Outcome.PAY_IN_FULL, **changes: Any) -> Decision:
    return Decision(outcome=outcome, reasoning="Because", **changes)


def in_state(reached: State) -> Dispute:
    if reached is State.OPEN:
        return dispute()
    if reached is State.UNDER_REVIEW:
        return claimed()
    return dispute(state=reached, mediator="staff/mia")


def claim(it: Dispute) -> None:
    rules.claim(it, "staff/mia", LATER)


def decide(it: Dispute) -> None:
    rules.decide(it, "staff/mia", decision(), LATER)


def withdraw(it: Dispute) -> None:
    rules.withdraw(it, "creators/bea", LATER)


def test_a_mediator_claims_an_open_dispute() -> None:
    it = dispute()
    claim(it)
    assert (it.state, it.mediator, it.sequence, it.update_time) == (
        State.UNDER_REVIEW,
        "staff/mia",
        2,
        LATER,
    )


def test_a_mediator_takes_over_from_one_who_cannot_go_on() -> None:
    it = claimed()
    rules.claim(it, "staff/max", LATER)
    assert (it.state, it.mediator) == (State.UNDER_REVIEW, "staff/max")
    with pytest.raises(PermissionDenied):
        rules.decide(it, "staff/mia", Decision(Outcome.DISMISS, "No"), LATER)


def test_the_mediator_who_claimed_decides() -> None:
    it = claimed()
    decide(it)
    assert it.state is State.RESOLVED
    assert it.decision == decision(decide_time=LATER)
    assert (it.sequence, it.update_time) == (3, LATER)


@pytest.mark.parametrize("before", [dispute(), claimed()], ids=["open", "under review"])
def test_the_opener_withdraws_until_it_is_decided(before: Dispute) -> None:
    it = deepcopy(before)
    withdraw(it)
    assert it.state is State.WITHDRAWN
    assert it.decision is None
    assert it.sequence == before.sequence + 1


@pytest.mark.parametrize(
    ("command", "reached"),
    [
        (claim, State.UNDER_REVIEW),
        (claim, State.RESOLVED),
        (claim, State.WITHDRAWN),
        (decide, State.OPEN),
        (decide, State.RESOLVED),
        (decide, State.WITHDRAWN),
        (withdraw, State.RESOLVED),
        (withdraw, State.WITHDRAWN),
    ],
)
def test_what_a_state_does_not_allow_changes_nothing(
    command: Callable[[Dispute], None], reached: State
) -> None:
    it = in_state(reached)
    before = deepcopy(it)
    with pytest.raises(FailedPrecondition) as caught:
        command(it)
    assert caught.value.reason is Reason.ILLEGAL_STATE
    assert caught.value.metadata["state"] == reached
    assert it == before


def test_another_mediator_cannot_decide() -> None:
    it = claimed()
    with pytest.raises(PermissionDenied) as caught:
        rules.decide(it, "staff/max", decision(), LATER)
    assert caught.value.reason is Reason.NOT_YOURS
    assert it == claimed()


def test_the_other_side_cannot_withdraw() -> None:
    it = dispute()
    with pytest.raises(PermissionDenied) as caught:
        rules.withdraw(it, "brands/acme", LATER)
    assert caught.value.reason is Reason.NOT_YOURS
    assert it == dispute()


def test_nobody_withdraws_what_the_platform_opened() -> None:
    it = dispute(opener="system", ground=Ground.REVIEW_SILENCE)
    for side in ("brands/acme", "creators/bea"):
        with pytest.raises(PermissionDenied):
            rules.withdraw(it, side, LATER)


@pytest.mark.parametrize("outcome", Outcome)
def test_an_outcome_that_is_not_offered_is_refused(outcome: Outcome) -> None:
    it = claimed(allowed_outcomes=[other for other in Outcome if other is not outcome])
    before = deepcopy(it)
    with pytest.raises(FailedPrecondition) as caught:
        rules.decide(it, "staff/mia", decision(outcome), LATER)
    assert caught.value.reason is Reason.OUTCOME_NOT_ALLOWED
    assert it == before


@pytest.mark.parametrize(
    "made",
    [
        decision(Outcome.PAY_IN_FULL),
        decision(Outcome.PAY_PARTIAL, amount_minor=1, amount_currency="USD"),
        decision(Outcome.PAY_PARTIAL, amount_minor=9_999, amount_currency="USD"),
        decision(Outcome.REDO, deadline_time=LATER + timedelta(microseconds=1)),
        decision(Outcome.CANCEL_WITHOUT_PAY),
        decision(Outcome.DISMISS),
    ],
    ids=lambda made: made.outcome,
)
def test_each_outcome_is_decided_with_what_it_needs(made: Decision) -> None:
    it = claimed()
    rules.decide(it, "staff/mia", made, LATER)
    assert it.decision == made


@pytest.mark.parametrize(
    ("made", "field", "rule"),
    [
        (decision(Outcome.PAY_PARTIAL), "amount", "REQUIRED"),
        (
            decision(Outcome.PAY_PARTIAL, amount_minor=0, amount_currency="USD"),
            "amount",
            "RANGE",
        ),
        (
            decision(Outcome.PAY_PARTIAL, amount_minor=10_000, amount_currency="USD"),
            "amount",
            "RANGE",
        ),
        (
            decision(Outcome.PAY_PARTIAL, amount_minor=5_000, amount_currency="EUR"),
            "amount",
            "CURRENCY",
        ),
        (
            decision(Outcome.PAY_IN_FULL, amount_minor=1, amount_currency="USD"),
            "amount",
            "ONLY_WITH_PAY_PARTIAL",
        ),
        (decision(Outcome.REDO), "deadline_time", "REQUIRED"),
        (decision(Outcome.REDO, deadline_time=LATER), "deadline_time", "FUTURE"),
        (
            decision(Outcome.DISMISS, deadline_time=LATER + timedelta(days=1)),
            "deadline_time",
            "ONLY_WITH_REDO",
        ),
    ],
)
def test_amount_and_deadline_go_with_their_outcomes(made: Decision, field: str, rule: str) -> None:
    it = claimed()
    with pytest.raises(InvalidArgument) as caught:
        rules.decide(it, "staff/mia", made, LATER)
    (violation,) = caught.value.violations
    assert (violation.field, violation.rule) == (f"decision.{field}", rule)
    assert it == claimed()


def test_a_product_cannot_be_paid_in_part() -> None:
    it = claimed(reward_currency="", reward_minor=0)
    made = decision(Outcome.PAY_PARTIAL, amount_minor=1, amount_currency="")
    with pytest.raises(InvalidArgument):
        rules.decide(it, "staff/mia", made, LATER)


def test_clocks_fire_in_order_and_none_decides() -> None:
    """R52: reminders at 50 % and 80 % of the time to decide, then overdue; still undecided."""
    it = dispute()
    fired: list[Clock] = []
    seen = []
    while upcoming := rules.next_clock(it, fired):
        clock, due_time = upcoming
        event = rules.fire(it, clock, due_time)
        fired.append(clock)
        seen.append((clock, event, (due_time - OPENED) / timedelta(days=1), it.is_overdue))
    assert seen == [
        (Clock.ANSWER_DUE, Event.ANSWER_DUE, 5, False),
        (Clock.FIRST_REMINDER, Event.REMINDED, 15, False),
        (Clock.LAST_REMINDER, Event.REMINDED, 24, False),
        (Clock.RESOLUTION_DUE, Event.OVERDUE, 30, True),
    ]
    assert (it.state, it.decision, it.sequence) == (State.OPEN, None, 5)


def test_a_late_answer_window_fires_after_what_comes_before_it() -> None:
    it = dispute(answer_due_time=OPENED + timedelta(days=60))
    assert rules.next_clock(it, []) == (Clock.FIRST_REMINDER, OPENED + timedelta(days=15))
    before = [Clock.FIRST_REMINDER, Clock.LAST_REMINDER, Clock.RESOLUTION_DUE]
    assert rules.next_clock(it, before) == (Clock.ANSWER_DUE, it.answer_due_time)


def test_clocks_of_one_instant_all_fire() -> None:
    it = dispute(answer_due_time=OPENED + timedelta(days=15))
    assert rules.next_clock(it, []) == (Clock.ANSWER_DUE, it.answer_due_time)
    assert rules.next_clock(it, [Clock.ANSWER_DUE]) == (Clock.FIRST_REMINDER, it.answer_due_time)


@pytest.mark.parametrize("reached", [State.RESOLVED, State.WITHDRAWN])
def test_a_closed_dispute_has_no_clock(reached: State) -> None:
    assert rules.next_clock(in_state(reached), []) is None


def test_an_overdue_dispute_is_still_decided() -> None:
    it = claimed(is_overdue=True)
    decide(it)
    assert it.state is State.RESOLVED
    assert it.is_overdue


GROUNDS_OF = {
    "brands/acme": {Ground.WORK_DOES_NOT_CONFORM, Ground.FRAUD},
    "creators/bea": {
        Ground.LATE_REWARD,
        Ground.WRONG_PRODUCT,
        Ground.UNFAIR_CHANGE_REQUEST,
        Ground.MATERIALS_NOT_PROVIDED,
    },
}


@pytest.mark.parametrize("side", GROUNDS_OF)
@pytest.mark.parametrize("ground", Ground)
def test_each_side_has_its_own_grounds(side: str, ground: Ground) -> None:
    """R14, R51: grounds belong to one side; REVIEW_SILENCE is the platform's alone."""
    if ground in GROUNDS_OF[side]:
        rules.check_ground(ground, side)
    else:
        with pytest.raises(FailedPrecondition) as caught:
            rules.check_ground(ground, side)
        assert caught.value.reason is Reason.DISPUTE_NOT_ALLOWED
