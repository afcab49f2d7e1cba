"""What operators read of an assignment in the Temporal UI."""

from dataclasses import replace

import pytest

from tests.unit.workflows.samples import (
    APPROVE,
    COMMENT,
    DEADLINE,
    LATER,
    REACHED,
    SUBMIT,
    approved,
    begun,
    disputed,
    due,
    expired,
    overdue,
    shipping,
    submitted,
)
from workflows.assignment import ui_details
from workflows.assignment.model import State
from workflows.assignment.rules import submissions
from workflows.dispute.model import Ground
from workflows.policy import STANDARD, ReviewSilence


@pytest.mark.parametrize("reached", State)
def test_every_state_shows_who_must_act_until_when(reached: State) -> None:
    a = REACHED[reached]()
    text = ui_details.describe(a)
    assert text.startswith("**")
    if a.clock is not None:
        assert f"{a.clock.due_time:%Y-%m-%d %H:%M:%S} UTC" in text
    assert f"transition {a.sequence}" in text


def test_a_held_clock_shows_its_remaining_time() -> None:
    text = ui_details.describe(disputed(begun(), Ground.FRAUD))
    assert "A mediator must decide `disputes/d1`." in text
    assert f"held by the dispute with {DEADLINE - LATER} left" in text


def test_review_silence_is_described_by_the_policy() -> None:
    escalating = replace(STANDARD, review_silence=ReviewSilence.ESCALATE)
    assert "approved in the brand's name" in ui_details.describe(submitted())
    assert "a mediator is asked" in ui_details.describe(submitted(escalating))


def test_an_overdue_reward_and_a_missing_comment_are_marked() -> None:
    assert "OVERDUE" in ui_details.describe(overdue())
    assert "must say why" in ui_details.describe(expired())
    commented = expired()
    submissions.comment_on_expiry(commented, COMMENT, DEADLINE)
    assert "nobody must act" in ui_details.describe(commented)
    closed = expired()
    submissions.fire(closed, due(closed))
    assert "nobody must act" in ui_details.describe(closed)


def test_an_overdue_reward_shows_what_happens_without_a_clock() -> None:
    text = ui_details.describe(overdue())
    assert "No clock runs. The platform goes on trying to pay" in text
    assert "an operator can retry it (RETRY_REWARD); the creator may open a dispute." in text
    product = shipping()
    submissions.submit_work(product, SUBMIT, LATER)
    submissions.approve_work(product, APPROVE, LATER)
    submissions.fire(product, due(product))
    assert "The brand must still ship the product; the creator may" in ui_details.describe(product)


def test_a_payout_held_by_a_dispute_is_shown() -> None:
    held = ui_details.describe(disputed(approved(), Ground.FRAUD))
    assert "a mediator must decide before its reward is paid" in held
    assert "The payout is held by the brand's dispute" in held
    text = ui_details.describe(disputed(overdue(), Ground.FRAUD))
    assert "No clock runs. The platform pays once the dispute is over." in text
    assert "held" not in ui_details.describe(disputed(overdue(), Ground.LATE_REWARD))
