"""A dispute survives the wire, Temporal's converter and the book's JSON unchanged."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from liaison.disputes.v1 import disputes_pb2 as pb
from pydantic import TypeAdapter
from temporalio.converter import DataConverter

from servicekit.errors import InvalidArgument
from workflows.dispute.messages import from_message, to_message
from workflows.dispute.model import Change, Decision, Dispute, Event, Ground, Outcome, State

NOW = datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)

OPEN = Dispute(
    id="d1",
    assignment_id="a1",
    brand_id="acme",
    creator_id="bea",
    opener="creators/bea",
    ground=Ground.LATE_REWARD,
    statement="Nothing arrived",
    create_time=NOW,
    resolution_due_time=NOW + timedelta(days=30),
    answer_due_time=NOW + timedelta(days=5),
    allowed_outcomes=[Outcome.PAY_IN_FULL, Outcome.DISMISS],
    reward_currency="USD",
    reward_minor=10_050,
    update_time=NOW,
)
DECIDED = replace(
    OPEN,
    state=State.RESOLVED,
    mediator="staff/mia",
    is_overdue=True,
    sequence=7,
    decision=Decision(Outcome.PAY_PARTIAL, "Half was done", NOW, 5_000, None, "USD"),
)
DISPUTES = {
    "open": OPEN,
    "decided": DECIDED,
    "redone": replace(DECIDED, decision=Decision(Outcome.REDO, "Again", NOW, None, NOW)),
    "product": replace(OPEN, reward_currency="", reward_minor=0),
}
each_dispute = pytest.mark.parametrize("dispute", DISPUTES.values(), ids=DISPUTES)


@each_dispute
def test_a_message_says_all_there_is(dispute: Dispute) -> None:
    assert from_message(to_message(dispute)) == dispute


@each_dispute
async def test_a_workflow_is_handed_what_was_sent(dispute: Dispute) -> None:
    change = Change(Event.DECIDED, dispute)
    payloads = await DataConverter.default.encode([change])
    assert await DataConverter.default.decode(payloads, [Change]) == [change]


@each_dispute
def test_the_book_gives_back_what_it_was_given(dispute: Dispute) -> None:
    adapter = TypeAdapter(Dispute)
    assert adapter.validate_python(adapter.dump_python(dispute, mode="json")) == dispute


@pytest.mark.parametrize(
    ("spoiled", "field"),
    [
        (pb.Dispute(name="d1"), "dispute.name"),
        (pb.Dispute(brand="acme"), "dispute.brand"),
        (pb.Dispute(state=pb.Dispute.STATE_UNSPECIFIED), "dispute.state"),
    ],
    ids=["name", "brand", "state"],
)
def test_what_is_no_dispute_is_refused(spoiled: pb.Dispute, field: str) -> None:
    message = to_message(OPEN)
    if field == "dispute.state":
        message.ClearField("state")
    message.MergeFrom(spoiled)
    with pytest.raises(InvalidArgument) as caught:
        from_message(message)
    assert [violation.field for violation in caught.value.violations] == [field]
