"""Notices of a dispute, and what operators read of it in the Temporal UI."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.unit.workflows.dispute.samples import DECIDED, NOW, OPEN
from workflows.dispute.model import Change, Clock, Dispute, Event, State
from workflows.dispute.notices import notices_of
from workflows.dispute.ui_details import describe

CLAIMED = replace(OPEN, state=State.UNDER_REVIEW, mediator="staff/mia", sequence=2)
WITHDRAWN = replace(OPEN, state=State.WITHDRAWN, sequence=2)
SIDES = ["brands/acme", "creators/bea"]


@pytest.mark.parametrize(
    ("event", "dispute", "recipients", "words"),
    [
        (Event.OPENED, OPEN, [*SIDES, "staff/mediators"], "LATE_REWARD"),
        (Event.CLAIMED, CLAIMED, SIDES, "staff/mia"),
        (Event.DECIDED, DECIDED, [*SIDES, "staff/mediators"], "Half was done"),
        (Event.WITHDRAWN, WITHDRAWN, [*SIDES, "staff/mediators"], "took the dispute"),
        (Event.ANSWER_DUE, OPEN, ["staff/mediators"], "is over"),
        (Event.REMINDED, OPEN, ["staff/mediators"], "No mediator has claimed it yet"),
        (Event.REMINDED, CLAIMED, ["staff/mediators"], "staff/mia is on it"),
        (Event.OVERDUE, CLAIMED, ["staff/mediators", "staff/operators"], "and is not"),
    ],
)
def test_each_change_notifies_those_concerned(
    event: Event, dispute: Dispute, recipients: list[str], words: str
) -> None:
    notices = notices_of(Change(event, dispute))
    assert [notice.recipient for notice in notices] == recipients
    assert {notice.event for notice in notices} == {f"DISPUTE_{event}"}
    assert {notice.subject for notice in notices} == {"disputes/d1"}
    assert all(words in notice.text for notice in notices)
    assert [notice.deduplication_id for notice in notices] == [
        f"dispute/d1/{dispute.sequence}/{recipient}" for recipient in recipients
    ]


@pytest.mark.parametrize(
    ("dispute", "words"),
    [
        (OPEN, ["**A mediator** must claim", "2026-03-31 12:30:15 UTC", "Otherwise, at"]),
        (CLAIMED, ["**staff/mia** must decide", "PAY_IN_FULL, DISMISS"]),
        (replace(CLAIMED, is_overdue=True), ["**Overdue.**"]),
        (DECIDED, ["**Resolved** by staff/mia: PAY_PARTIAL"]),
        (WITHDRAWN, ["**Withdrawn** by creators/bea"]),
    ],
    ids=["open", "claimed", "overdue", "decided", "withdrawn"],
)
def test_details_show_who_must_act_until_when(dispute: Dispute, words: list[str]) -> None:
    text = describe(dispute, [])
    assert all(word in text for word in words)


def test_details_name_the_next_clock() -> None:
    answer_due_time = NOW + timedelta(days=5)
    assert f"at {answer_due_time:%Y-%m-%d}" in describe(OPEN, [])
    assert "reminded a last time" in describe(OPEN, [Clock.ANSWER_DUE, Clock.FIRST_REMINDER])
    assert "No clock is left" in describe(OPEN, list(Clock))
