"""Command models of assignments."""

from datetime import UTC, datetime
from typing import Any

import pytest
from liaison.tasks.v1 import assignments_pb2 as pb
from liaison.tasks.v1.tasks_pb2 import Requirement

from servicekit.commands import parse
from servicekit.errors import InvalidArgument
from servicekit.timestamps import to_timestamp
from services.tasks.assignments.commands import (
    CATEGORIES,
    AnswerProposal,
    AssignmentCategory,
    CreateProposal,
    ListAssignments,
    OverrideAssignment,
)
from workflows.assignment.model import Action, ProposalKind, State

TIME = datetime(2026, 2, 28, 23, 59, 59, 999999, tzinfo=UTC)


def _wanted(**query: Any) -> set[State] | None:
    wanted = parse(ListAssignments, pb.ListAssignmentsRequest(**query)).wanted_states
    return None if wanted is None else set(wanted)


def test_each_state_is_in_one_category() -> None:
    categorised = [state for category in AssignmentCategory for state in CATEGORIES[category]]
    assert sorted(categorised) == sorted(State)
    assert {f"ASSIGNMENT_CATEGORY_{category}" for category in AssignmentCategory} == set(
        pb.AssignmentCategory.keys()
    ) - {"ASSIGNMENT_CATEGORY_UNSPECIFIED"}


def test_category_and_states_narrow_each_other() -> None:
    approved, completed = pb.Assignment.STATE_APPROVED, pb.Assignment.STATE_COMPLETED
    assert _wanted() is None
    assert _wanted(states=[completed]) == {State.COMPLETED}
    assert _wanted(category=pb.ASSIGNMENT_CATEGORY_ENDED) == {State.EXPIRED, State.CANCELLED}
    assert _wanted(category=pb.ASSIGNMENT_CATEGORY_SUBMITTED, states=[approved, completed]) == {
        State.APPROVED
    }
    assert _wanted(category=pb.ASSIGNMENT_CATEGORY_TO_DO, states=[approved]) == set()


def test_the_order_of_states_does_not_matter_to_a_page() -> None:
    states = [pb.Assignment.STATE_REWARDED, pb.Assignment.STATE_APPROVED]
    one = parse(ListAssignments, pb.ListAssignmentsRequest(states=states))
    other = parse(ListAssignments, pb.ListAssignmentsRequest(states=reversed(states)))
    assert one.wanted_states == other.wanted_states


@pytest.mark.parametrize(
    ("terms", "kind", "time", "texts"),
    [
        (
            {"extension": pb.Extension(deadline_time=to_timestamp(TIME))},
            ProposalKind.EXTENSION,
            TIME,
            [],
        ),
        (
            {"amendment": pb.Amendment(requirements=[Requirement(id="req-7", text="One")])},
            ProposalKind.AMENDMENT,
            None,
            ["One"],
        ),
        ({"cancellation": pb.Cancellation()}, ProposalKind.CANCELLATION, None, []),
        (
            {"early_shipment": pb.EarlyShipment(shipment_due_time=to_timestamp(TIME))},
            ProposalKind.EARLY_SHIPMENT,
            TIME,
            [],
        ),
    ],
)
def test_a_proposal_is_of_the_kind_of_its_terms(
    terms: dict[str, Any], kind: ProposalKind, time: datetime | None, texts: list[str]
) -> None:
    request = pb.CreateProposalRequest(
        parent="assignments/a1", proposal=pb.Proposal(reason="So", **terms), request_id="1"
    )
    proposed = parse(CreateProposal, request).proposal
    assert (proposed.kind, proposed.deadline_time, proposed.requirement_texts) == (
        kind,
        time,
        texts,
    )


def test_every_kind_of_proposal_has_terms() -> None:
    terms = pb.Proposal.DESCRIPTOR.oneofs_by_name["terms"].fields
    assert {field.name.upper() for field in terms} == set(ProposalKind)


def test_a_proposals_name_ends_in_its_number() -> None:
    name = "assignments/a-1/proposals/12"
    answer = parse(AnswerProposal, pb.AcceptProposalRequest(name=name, request_id="1"))
    assert (answer.assignment_id, answer.number) == ("a-1", 12)
    for wrong in ("0", "012", "-1", "1_0", "1.5", "x", "1000000"):
        name = f"assignments/a-1/proposals/{wrong}"
        with pytest.raises(InvalidArgument):
            parse(AnswerProposal, pb.AcceptProposalRequest(name=name, request_id="1"))


@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize("time", [None, TIME])
def test_only_timed_actions_take_a_deadline(action: Action, time: datetime | None) -> None:
    request = pb.OverrideAssignmentRequest(
        name="assignments/a1",
        action=pb.OverrideAssignmentRequest.Action.Value(f"ACTION_{action}"),
        reason="So",
        deadline_time=to_timestamp(time),
        request_id="1",
    )
    if (time is not None) == (action in (Action.MOVE_CLOCK, Action.REOPEN)):
        command = parse(OverrideAssignment, request)
        assert (command.action, command.deadline_time) == (action, time)
        return
    with pytest.raises(InvalidArgument) as caught:
        parse(OverrideAssignment, request)
    (violation,) = caught.value.violations
    assert (violation.field, violation.rule) == ("deadline_time", "ACTION")


def test_every_action_can_be_asked_for() -> None:
    names = set(pb.OverrideAssignmentRequest.Action.keys()) - {"ACTION_UNSPECIFIED"}
    assert names == {f"ACTION_{action}" for action in Action}


def test_an_unknown_action_is_the_only_thing_named() -> None:
    request = pb.OverrideAssignmentRequest(
        name="assignments/a1", reason="So", deadline_time=to_timestamp(TIME), request_id="1"
    )
    request.action = pb.OverrideAssignmentRequest.Action.ValueType(99)
    with pytest.raises(InvalidArgument) as caught:
        parse(OverrideAssignment, request)
    assert [violation.field for violation in caught.value.violations] == ["action"]
