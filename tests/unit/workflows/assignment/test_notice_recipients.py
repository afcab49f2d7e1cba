"""Who is notified of each event of an assignment."""

from dataclasses import replace

import pytest

from tests.unit.workflows.samples import (
    BEGIN,
    BRAND,
    CHANGE,
    CREATOR,
    DEADLINE,
    LATER,
    SUBMIT,
    begun,
    transition_of,
)
from workflows.assignment.model import SYSTEM, Assignment, Event, Transition
from workflows.assignment.notices import notices
from workflows.assignment.rules import submissions
from workflows.notices import MEDIATORS, OPERATORS


def notice_texts(a: Assignment, transition: Transition) -> dict[str, str]:
    sent = list(notices(a, transition))
    assert all(notice.event == transition.event and notice.subject == a.name for notice in sent)
    ids = {notice.deduplication_id for notice in sent}
    assert ids == {f"assignment/a1/{transition.sequence}/{one.recipient}" for one in sent}
    return {notice.recipient: notice.text for notice in sent}


@pytest.mark.parametrize(
    ("event", "actor", "recipients"),
    [
        (Event.CREATOR_SELECTED, BRAND, {CREATOR}),
        (Event.WORK_SUBMITTED, CREATOR, {BRAND}),
        (Event.REVIEW_REMINDED, SYSTEM, {BRAND}),
        (Event.CHANGES_REQUESTED, BRAND, {CREATOR}),
        (Event.REWORK_LAPSED, SYSTEM, {BRAND, CREATOR}),
        (Event.WORK_APPROVED, BRAND, {CREATOR}),
        (Event.WORK_APPROVED, SYSTEM, {BRAND, CREATOR}),
        (Event.REWARD_OVERDUE, SYSTEM, {BRAND, CREATOR, OPERATORS}),
        (Event.PAYOUT_FAILED, SYSTEM, {CREATOR, OPERATORS}),
        (Event.PAYOUT_ESCALATED, SYSTEM, {OPERATORS}),
        (Event.REWARD_SENT, SYSTEM, {CREATOR}),
        (Event.REWARD_UNCLAIMED, SYSTEM, {CREATOR}),
        (Event.REWARD_WRITTEN_OFF, SYSTEM, {BRAND, CREATOR}),
        (Event.COMPLETED, SYSTEM, {BRAND, CREATOR}),
        (Event.EXPIRED, SYSTEM, {BRAND, CREATOR}),
        (Event.EXPIRY_COMMENTED, CREATOR, {BRAND}),
        (Event.DISPUTE_OPENED, BRAND, set()),  # the dispute's own workflow notifies
        (Event.DISPUTE_RESOLVED, "staff/mia", set()),
        (Event.DISPUTE_WITHDRAWN, BRAND, set()),
        (Event.DECISION_OVERTAKEN, SYSTEM, {BRAND, CREATOR, MEDIATORS}),
    ],
)
def test_everyone_concerned_but_the_actor_is_notified(
    event: Event, actor: str, recipients: set[str]
) -> None:
    assert set(notice_texts(begun(), transition_of(event, actor))) == recipients


def test_every_event_has_notice_texts() -> None:
    for event in Event:
        assert all(one.text for one in notices(begun(), transition_of(event, SYSTEM)))


def test_comments_and_deadlines_are_quoted_in_notices() -> None:
    a, first = submissions.start("a1", "bea", begun().terms, BEGIN)
    assert f"{DEADLINE:%Y-%m-%d %H:%M} UTC" in notice_texts(a, first)[CREATOR]
    submissions.submit_work(a, SUBMIT, LATER)
    asked = submissions.request_changes(a, replace(CHANGE, comment="{deadline} {0}"), LATER)
    assert notice_texts(a, asked)[CREATOR].startswith(
        "The brand asks for changes: {deadline} {0}. "
    )
