"""A dispute survives protobuf, Temporal's data converter and the stored JSON unchanged."""

from dataclasses import replace

import pytest
from liaison.disputes.v1 import disputes_pb2 as pb
from pydantic import TypeAdapter
from temporalio.converter import DataConverter

from servicekit.errors import InvalidArgument
from tests.unit.workflows.dispute.samples import DECIDED, NOW, OPEN
from workflows.dispute.messages import from_message, to_message
from workflows.dispute.model import Change, Decision, Dispute, Event, Outcome

DISPUTES = {
    "open": OPEN,
    "decided": DECIDED,
    "redone": replace(DECIDED, decision=Decision(Outcome.REDO, "Again", NOW, None, NOW)),
    "product": replace(OPEN, reward_currency="", reward_minor=0),
}
each_dispute = pytest.mark.parametrize("dispute", DISPUTES.values(), ids=DISPUTES)


@each_dispute
def test_a_message_holds_the_whole_dispute(dispute: Dispute) -> None:
    assert from_message(to_message(dispute)) == dispute


@each_dispute
async def test_a_workflow_receives_the_change_that_was_sent(dispute: Dispute) -> None:
    change = Change(Event.DECIDED, dispute)
    payloads = await DataConverter.default.encode([change])
    assert await DataConverter.default.decode(payloads, [Change]) == [change]


@each_dispute
def test_stored_json_gives_the_same_dispute(dispute: Dispute) -> None:
    adapter = TypeAdapter(Dispute)
    assert adapter.validate_python(adapter.dump_python(dispute, mode="json")) == dispute


@pytest.mark.parametrize(
    ("invalid", "field"),
    [
        (pb.Dispute(name="d1"), "dispute.name"),
        (pb.Dispute(brand="acme"), "dispute.brand"),
        (pb.Dispute(state=pb.Dispute.STATE_UNSPECIFIED), "dispute.state"),
    ],
    ids=["name", "brand", "state"],
)
def test_an_invalid_message_is_refused(invalid: pb.Dispute, field: str) -> None:
    message = to_message(OPEN)
    if field == "dispute.state":
        message.ClearField("state")
    message.MergeFrom(invalid)
    with pytest.raises(InvalidArgument) as caught:
        from_message(message)
    assert [violation.field for violation in caught.value.violations] == [field]
