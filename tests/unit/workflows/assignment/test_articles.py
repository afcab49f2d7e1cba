"""What is asked of articles when work is delivered, and which transitions publish them."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace

import pytest

from servicekit.errors import FailedPrecondition, Reason
from tests.unit.workflows.samples import (
    APPROVE,
    BEGIN,
    BRAND,
    CREATOR,
    DAY,
    LATER,
    MEDIATOR,
    OPERATOR,
    REACHED,
    SUBMIT,
    begun,
    disputed,
    due,
    expired,
    submitted,
)
from workflows.assignment.commands import OpenDispute, OverrideAssignment, RecordShipment
from workflows.assignment.model import Action, Assignment, State, Transition
from workflows.assignment.rules import disputes, overrides, rewards, submissions
from workflows.assignment.rules.transitions import confirms_work
from workflows.dispute.model import Decision, Ground, Outcome

WRITTEN = replace(SUBMIT, article_ids=["x"], article_revisions=["articles/x/revisions/r1"])


def _refusal(a: Assignment, command: object) -> FailedPrecondition:
    untouched = deepcopy(a)
    with pytest.raises(FailedPrecondition) as refused:
        submissions.submit_new_work(a, command, LATER)  # type: ignore[arg-type]  # what a test says
    assert a == untouched
    return refused.value


@pytest.mark.parametrize(
    ("asked", "rule", "delivered"),
    [
        (["ARTICLE"], "ALL", []),
        (["VIDEO", "ARTICLE"], "ALL", []),
        (["VIDEO", "ARTICLE"], "ANY", []),
        (["VIDEO", "ARTICLE"], "ANY", ["ARTICLE"]),
    ],
)
def test_who_delivers_an_article_names_it(
    asked: list[str], rule: str, delivered: list[str]
) -> None:
    a = begun(content_types=asked, completion_rule=rule)
    refusal = _refusal(a, replace(SUBMIT, content_types=delivered))
    assert (refusal.reason, refusal.metadata) == (
        Reason.CONTENT_INCOMPLETE,
        {"missing": "articles"},
    )
    assert "CreateArticle" in refusal.message
    submissions.submit_new_work(a, replace(WRITTEN, content_types=delivered), LATER)
    assert a.submissions[-1].article_revisions == WRITTEN.article_revisions


def test_who_delivers_something_else_names_none() -> None:
    a = begun(content_types=["VIDEO", "ARTICLE"], completion_rule="ANY")
    submissions.submit_new_work(a, replace(SUBMIT, content_types=["VIDEO"]), LATER)
    assert a.state is State.IN_REVIEW


@pytest.mark.parametrize("sealed", [[], ["articles/x/revisions/r1"] * 2])
def test_what_is_not_sealed_is_not_delivered(sealed: list[str]) -> None:
    refusal = _refusal(begun(), replace(WRITTEN, article_revisions=sealed))
    assert (refusal.reason, refusal.metadata) == (
        Reason.MEDIA_NOT_ACCEPTED,
        {"articles": "articles/x"},
    )


@pytest.mark.parametrize("reached", sorted(set(State) - {State.IN_PROGRESS}))
def test_a_state_that_takes_no_work_says_so_first(reached: State) -> None:
    a = REACHED[reached]()
    if reached is State.CHANGES_REQUESTED:
        a = disputed(a, Ground.FRAUD)
    assert _refusal(a, replace(WRITTEN, article_revisions=[])).reason is Reason.ILLEGAL_STATE


def _decided(outcome: Outcome) -> Transition:
    a = disputed(submitted(), Ground.FRAUD)
    decision = Decision(outcome, "So it is", LATER + DAY, 1_00, None)
    return disputes.close_dispute(a, decision, MEDIATOR, LATER)


def _overridden(action: Action) -> Transition:
    command = OverrideAssignment(OPERATOR, action, "Nobody answers")
    return overrides.override_assignment(submitted(), command, LATER)


def _silent() -> Transition:
    a = submitted()
    return submissions.elapse(a, due(a))[-1][0]


def _paid_though_expired() -> Transition:
    a = disputed(expired(), Ground.FRAUD)
    return disputes.close_dispute(a, Decision(Outcome.PAY_IN_FULL, "Done"), MEDIATOR, LATER)


@pytest.mark.parametrize(
    ("happen", "is_published"),
    [
        (lambda: submissions.approve_work(submitted(), APPROVE, LATER), True),
        (_silent, True),
        (lambda: _overridden(Action.APPROVE), True),
        (lambda: _decided(Outcome.PAY_IN_FULL), True),
        # Paid in part is confirmed all the same.
        (lambda: _decided(Outcome.PAY_PARTIAL), True),
        (_paid_though_expired, True),
        (lambda: _decided(Outcome.REDO), False),
        (lambda: _decided(Outcome.CANCEL_WITHOUT_PAY), False),
        (lambda: _decided(Outcome.DISMISS), False),
        (lambda: _overridden(Action.CANCEL), False),
        (lambda: submissions.start("a1", "bea", begun().terms, BEGIN)[1], False),
        (lambda: submissions.submit_work(begun(), SUBMIT, LATER), False),
    ],
)
def test_work_is_published_when_it_is_confirmed_by_whomever(
    happen: Callable[[], Transition], is_published: bool
) -> None:
    assert confirms_work(happen()) is is_published


def test_reward_events_publish_nothing_again() -> None:
    a = begun(currency="", reward_minor=0, product_title="A lamp")
    submissions.submit_work(a, SUBMIT, LATER)
    happened = [submissions.approve_work(a, APPROVE, LATER)]
    happened.append(rewards.record_shipment(a, RecordShipment(BRAND, "DHL", "JD 1"), LATER))
    while (following := rewards.follow_up(a, LATER)) is not None:
        happened.append(following)
    wrong = OpenDispute("d1", Ground.WRONG_PRODUCT, "It is broken", CREATOR)
    opened = disputes.open_dispute(a, wrong, LATER)[1]
    sent_again = disputes.close_dispute(
        a, Decision(Outcome.PAY_IN_FULL, "Another one"), MEDIATOR, LATER, Ground.WRONG_PRODUCT
    )
    assert sent_again.to_state is State.APPROVED
    assert [confirms_work(one) for one in [*happened, opened, sent_again]] == [
        True,
        *[False] * (len(happened) + 1),
    ]
