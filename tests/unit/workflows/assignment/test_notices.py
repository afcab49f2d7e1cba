"""Texts of an assignment's notices: what happened, and what must be done until when."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.unit.workflows.samples import (
    APPROVE,
    BRAND,
    CHANGE,
    COMMENT,
    CREATOR,
    DAY,
    DEADLINE,
    LATER,
    MEDIATOR,
    OPERATOR,
    SUBMIT,
    begun,
    disputed,
    expired,
    overdue,
    rewarded,
    reworking,
    shipping,
    submitted,
)
from workflows.assignment.commands import (
    AnswerProposal,
    CreateProposal,
    OpenDispute,
    OverrideAssignment,
    RecordShipment,
    ReopenAssignment,
)
from workflows.assignment.model import Action, Assignment, ProposalKind, Transition
from workflows.assignment.notices import notices
from workflows.assignment.rules import disputes, overrides, proposals, rewards, submissions
from workflows.dispute.model import Decision, Ground, Outcome
from workflows.notices import OPERATORS, as_sentence
from workflows.policy import STANDARD, ReviewSilence
from workflows.task.inputs import LapseApplications
from workflows.task.notices import lapse_notice

EXTEND = CreateProposal(CREATOR, ProposalKind.EXTENSION, "The parcel is late", DEADLINE + 3 * DAY)
AMEND = CreateProposal(BRAND, ProposalKind.AMENDMENT, "A new camp.", None, ["Show it", "Sing it"])
CANCEL = CreateProposal(CREATOR, ProposalKind.CANCELLATION, "It cannot be done")
EARLY = CreateProposal(CREATOR, ProposalKind.EARLY_SHIPMENT, "I need it", LATER + 2 * DAY)
SHIP = RecordShipment(BRAND, "DHL", "123")
REVIEW_DUE = "2026-03-06 13:00 UTC"
SUBMIT_DUE = "2026-03-11 12:00 UTC"
REVIEW_NEXT = f"Please review it before {REVIEW_DUE}; otherwise the work is approved in your name."
REWORK_NEXT = (
    f"Please submit a new version before {SUBMIT_DUE}; otherwise your last version goes back to"
    " review."
)
SHIP_NEXT = (
    f"Please ship the product before {REVIEW_DUE}; otherwise the creator may open a dispute."
)


def notice_texts(a: Assignment, transition: Transition | None) -> dict[str, str]:
    assert transition is not None
    return {one.recipient: one.text for one in notices(a, transition)}


def fired(a: Assignment) -> dict[str, str]:
    """The notices when the next clock runs out."""
    time = submissions.next_time(a)
    assert time is not None
    return notice_texts(a, submissions.fire(a, time)[0])


def overridden(a: Assignment, action: Action) -> dict[str, str]:
    command = OverrideAssignment(OPERATOR, action, "They called us", DEADLINE + 20 * DAY)
    return notice_texts(a, overrides.override_assignment(a, command, LATER))


def resolved(a: Assignment, decision: Decision) -> dict[str, str]:
    return notice_texts(a, disputes.close_dispute(a, decision, MEDIATOR, LATER))


def delivered() -> Assignment:
    a = shipping()
    submissions.submit_work(a, SUBMIT, LATER)
    return a


def test_notices_name_the_deadline_and_the_effect_of_silence() -> None:
    a, first = submissions.start("a1", "bea", begun().terms, LATER)
    assert notice_texts(a, first)[CREATOR] == (
        f"You were selected. Please submit your work before {SUBMIT_DUE}; otherwise the assignment"
        " expires."
    )
    work = submissions.submit_work(a, SUBMIT, LATER)
    assert notice_texts(a, work)[BRAND] == f"Work was submitted. {REVIEW_NEXT}"
    assert fired(a)[BRAND] == f"Submitted work still waits for your review. {REVIEW_NEXT}"
    changes = submissions.request_changes(a, CHANGE, LATER)
    assert notice_texts(a, changes)[CREATOR] == (
        f"The brand asks for changes: Show the price. {REWORK_NEXT}"
    )
    lapsed = fired(a)
    assert lapsed[BRAND].startswith("No new version came in time: the last one is back for your")
    assert "before 2026-03-16 12:00 UTC; otherwise the work is approved" in lapsed[BRAND]


def test_an_escalating_policy_is_described_as_such() -> None:
    escalating = replace(STANDARD, review_silence=ReviewSilence.ESCALATE)
    assert fired(submitted(escalating))[BRAND].endswith("otherwise a mediator is asked to decide.")


@pytest.mark.parametrize(
    ("a", "command", "recipient", "proposed", "reason"),
    [
        (begun(), EXTEND, BRAND, "more time, until 2026-03-14 12:00 UTC", "The parcel is late."),
        (
            submitted(),
            AMEND,
            CREATOR,
            "other requirements (2 in all, 1 new: 'Sing it')",
            "A new camp.",
        ),
        (
            begun(),
            CANCEL,
            BRAND,
            "the assignment to be cancelled without a reward",
            "It cannot be done.",
        ),
        (
            shipping(),
            EARLY,
            BRAND,
            "the product to be sent early, before 2026-03-03 13:00 UTC",
            "I need it.",
        ),
    ],
)
def test_a_proposal_says_what_is_asked_for(
    a: Assignment, command: CreateProposal, recipient: str, proposed: str, reason: str
) -> None:
    side, other = ("creator", "brand") if recipient == BRAND else ("brand", "creator")
    made = proposals.create_proposal(a, command, LATER)
    assert notice_texts(a, made) == {
        recipient: f"The {side} asks for {proposed}: {reason} Please accept or decline."
    }
    declined = proposals.decline_proposal(a, AnswerProposal(recipient, 1), LATER)
    assert notice_texts(a, declined) == {
        command.actor: f"The {other} declines what you asked for: {proposed}."
    }
    proposals.create_proposal(a, command, LATER)
    withdrawn = proposals.withdraw_proposal(a, AnswerProposal(command.actor, 2), LATER)
    assert notice_texts(a, withdrawn) == {recipient: f"The {side} no longer asks for {proposed}."}
    proposals.create_proposal(a, command, LATER)
    accepted = proposals.accept_proposal(a, AnswerProposal(recipient, 3), LATER)
    if command is CANCEL:
        wanted = f"The assignment is cancelled. By consent: {reason}"
    else:
        wanted = f"The {other} accepts what you asked for: {proposed}."
    assert notice_texts(a, accepted) == {command.actor: wanted}


def test_two_answers_at_one_instant_have_separate_notices() -> None:
    a = begun()
    proposals.create_proposal(a, EXTEND, LATER)
    proposals.create_proposal(a, CANCEL, LATER)
    first = proposals.decline_proposal(a, AnswerProposal(BRAND, 1), LATER)
    second = proposals.decline_proposal(a, AnswerProposal(BRAND, 2), LATER)
    assert "more time" in notice_texts(a, first)[CREATOR]
    assert "cancelled" in notice_texts(a, second)[CREATOR]


def test_a_long_amendment_is_quoted_in_part() -> None:
    a = begun()
    made = proposals.create_proposal(a, replace(AMEND, requirement_texts=["x" * 300, "y"]), LATER)
    text = notice_texts(a, made)[CREATOR]
    assert "(2 in all, 2 new: 'xxx" in text
    assert "x…)" in text
    assert len(text) < 300
    assert "y" not in text.partition("(")[2].partition(")")[0]


def test_a_product_is_asked_for_with_its_date_whoever_approved() -> None:
    creators = f"The brand is to ship the product before {REVIEW_DUE}."
    a = delivered()
    assert notice_texts(a, submissions.approve_work(a, APPROVE, LATER)) == {
        CREATOR: f"Your work is approved. {creators}",
        BRAND: SHIP_NEXT,  # it did approve, and must act now
    }
    assert overridden(delivered(), Action.APPROVE) == {
        CREATOR: f"An operator approved your work: They called us. {creators}",
        BRAND: f"An operator approved the work in your name: They called us. {SHIP_NEXT}",
    }
    assert fired(a)[BRAND] == (
        "The product that you owe for approved work is late. Please ship it: the creator may open"
        " a dispute."
    )


def test_approved_work_for_money_has_the_rewards_date() -> None:
    a = submitted()
    text = notice_texts(a, submissions.approve_work(a, APPROVE, LATER))
    assert text == {
        CREATOR: f"Your work is approved. The reward is to be sent before {REVIEW_DUE}."
    }


def test_a_product_that_is_on_its_way_is_not_asked_for() -> None:
    a = shipping()
    proposals.create_proposal(a, EARLY, LATER)
    proposals.accept_proposal(a, AnswerProposal(BRAND, 1), LATER)
    shipped = notice_texts(a, rewards.record_shipment(a, SHIP, LATER))
    assert shipped == {
        CREATOR: "The product is on its way: DHL 123. Please acknowledge it when it arrives. Please"
        f" submit your work before {SUBMIT_DUE}; otherwise the assignment expires."
    }
    submissions.submit_work(a, SUBMIT, LATER)
    assert notice_texts(a, submissions.approve_work(a, APPROVE, LATER)) == {
        CREATOR: "Your work is approved."
    }


def test_notices_name_what_remains_to_be_done_after_a_dispute() -> None:
    paid = resolved(disputed(delivered(), Ground.FRAUD), Decision(Outcome.PAY_IN_FULL, "Fine"))
    assert paid[BRAND] == SHIP_NEXT
    redo = Decision(Outcome.REDO, "Once more", deadline_time=DEADLINE)
    assert resolved(disputed(submitted(), Ground.FRAUD), redo) == {CREATOR: REWORK_NEXT}
    assert resolved(disputed(begun(), Ground.FRAUD), redo) == {
        CREATOR: f"Please submit your work before {SUBMIT_DUE}; otherwise the assignment expires."
    }
    dismissed = Decision(Outcome.DISMISS, "No")
    assert resolved(disputed(submitted(), Ground.FRAUD), dismissed) == {BRAND: REVIEW_NEXT}
    assert resolved(disputed(rewarded(), Ground.FRAUD), dismissed) == {}


def test_a_clock_held_for_a_product_has_no_date() -> None:
    a = shipping()
    proposals.create_proposal(a, EARLY, LATER)
    proposals.accept_proposal(a, AnswerProposal(BRAND, 1), LATER)
    assert set(fired(a)) == {CREATOR, BRAND, OPERATORS}
    disputes.open_dispute(a, _wrong_product(), LATER + 3 * DAY)
    closed = disputes.close_dispute(
        a, Decision(Outcome.DISMISS, "It comes"), MEDIATOR, LATER + 4 * DAY
    )
    assert notice_texts(a, closed) == {CREATOR: "Your time runs on as soon as the product is sent."}


def _wrong_product() -> OpenDispute:
    return OpenDispute("d1", Ground.WRONG_PRODUCT, "Nothing came", CREATOR)


def test_an_expiry_notice_names_the_remaining_commands_and_their_deadline() -> None:
    a = begun()
    assert fired(a) == {
        CREATOR: "The deadline has passed. Please say before 2026-04-10 12:00 UTC why the task was"
        " not completed.",
        BRAND: "The creator did not submit before the deadline. You may reopen the assignment until"
        " 2026-04-10 12:00 UTC.",
    }
    comment = submissions.comment_on_expiry(a, COMMENT, DEADLINE)
    assert notice_texts(a, comment)[BRAND] == (
        "The creator says why the task was not completed: I was ill."
    )
    reopened = submissions.reopen_assignment(
        a, ReopenAssignment(BRAND, DEADLINE + DAY, "Go on!"), DEADLINE
    )
    assert notice_texts(a, reopened) == {
        CREATOR: "You have more time after all. Please submit your work before 2026-03-12 12:00"
        " UTC; otherwise the assignment expires. Go on!"
    }


def test_overrides_are_notified_as_an_operators() -> None:
    ended = overridden(begun(), Action.EXPIRE)
    assert ended[CREATOR].startswith("An operator ended your time to submit: They called us. ")
    assert ended[BRAND].startswith("An operator ended the creator's time to submit: They called")
    returned = overridden(reworking(), Action.RETURN_TO_REVIEW)
    assert returned == {
        BRAND: f"An operator sent the last version back to your review: They called us."
        f" {REVIEW_NEXT}",
        CREATOR: "An operator sent your last version back to review: They called us.",
    }
    assert overridden(expired(), Action.REOPEN)[BRAND] == (
        "An operator gives the creator more time, until 2026-03-31 12:00 UTC: They called us."
    )
    assert overridden(begun(), Action.MOVE_CLOCK)[CREATOR] == (
        "An operator has moved the deadline of the work to 2026-03-31 12:00 UTC: They called us."
    )


@pytest.mark.parametrize(
    ("a", "action", "brand"),
    [
        (begun(), Action.CANCEL, "An operator cancelled the assignment: They called us."),
        (rewarded(), Action.COMPLETE, "An operator completed the assignment: They called us."),
        (
            overdue(),
            Action.RETRY_REWARD,
            "An operator has the reward sent once more: They called us.",
        ),
        (
            expired(),
            Action.CLOSE,
            "An operator closed the assignment for good, before its time: They called us.",
        ),
    ],
)
def test_both_sides_are_notified_of_an_override(a: Assignment, action: Action, brand: str) -> None:
    text = overridden(a, action)
    assert (set(text), text[BRAND]) == ({BRAND, CREATOR}, brand)


def test_closing_an_unused_window_notifies_nobody() -> None:
    assert fired(expired()) == {}


def test_words_have_one_full_stop() -> None:
    assert [as_sentence(one) for one in ("", "So", "So. ", "So?", "So!")] == [
        "",
        "So.",
        "So.",
        "So?",
        "So!",
    ]


def test_notices_to_those_not_selected_give_the_reason() -> None:
    order = LapseApplications("t1", "A lamp", "", [])
    nobody = lapse_notice(order, CREATOR)
    assert nobody.text == "The selection for the task 'A lamp' ended, and nobody was selected."
    assert nobody.deduplication_id == f"task/t1/lapsed/{CREATOR}"
    others = lapse_notice(replace(order, selected_ids=["app1"]), CREATOR)
    assert others.text == "The task 'A lamp' was given to others this time."
    cancelled = lapse_notice(replace(order, comment="A new camp."), CREATOR)
    assert cancelled.text == "The task 'A lamp' was cancelled: A new camp."


def test_a_reward_that_is_due_at_once_is_only_notified_as_late() -> None:
    a = shipping()
    proposals.create_proposal(a, EARLY, LATER)
    proposals.accept_proposal(a, AnswerProposal(BRAND, 1), LATER)
    fired(a)
    now = LATER + 3 * DAY
    submissions.submit_work(a, SUBMIT, now)
    assert notice_texts(a, submissions.approve_work(a, APPROVE, now)) == {
        CREATOR: "Your work is approved."
    }
    assert notice_texts(a, submissions.elapse(a, now)[0][0])[CREATOR].startswith(
        "The product is late."
    )


def test_a_notice_names_the_due_time_in_utc() -> None:
    a = begun()
    submission = submissions.submit_work(a, SUBMIT, LATER)
    (notice,) = notices(a, submission)
    assert f"{LATER + timedelta(days=5):%Y-%m-%d %H:%M} UTC" in notice.text
