"""Every command to an assignment: required fields and permitted callers."""

from typing import Any

import pytest
from google.protobuf.message_factory import GetMessageClass
from liaison.tasks.v1 import assignments_pb2 as pb
from liaison.tasks.v1.assignments_pb2_grpc import AssignmentServiceStub
from liaison.tasks.v1.tasks_pb2 import Requirement

from servicekit.auth import Role
from servicekit.errors import Internal, Reason
from servicekit.timestamps import to_timestamp
from services.tasks.assignments.servicer import ACCESS
from tests.integration.bad_input.harness import Harness
from tests.support.serving import refused, request_id

REQUESTS: dict[str, Any] = {
    str(method.name): GetMessageClass(method.input_type)
    for method in pb.DESCRIPTOR.services_by_name["AssignmentService"].methods
    if "request_id" in method.input_type.fields_by_name
}
# The required fields besides the name, each with a valid value.
CONTENTS: dict[str, dict[str, Any]] = {
    "SubmitWork": {"submission": pb.Submission(links=["https://example.com/work"])},
    "RequestChanges": {"comment": "More", "requirement_ids": ["req-1"]},
    "ApproveWork": {},
    "CommentOnExpiry": {
        "expiry_comment": pb.ExpiryComment(reason=pb.ExpiryComment.REASON_NO_TIME, comment="Sorry")
    },
    "ReopenAssignment": {"deadline_time": None},
    "CreateProposal": {
        "proposal": pb.Proposal(
            reason="More", amendment=pb.Amendment(requirements=[Requirement(text="More")])
        )
    },
    "AcceptProposal": {},
    "DeclineProposal": {},
    "WithdrawProposal": {},
    "RecordShipment": {"shipment": pb.Shipment(carrier="DHL", tracking_number="1")},
    "AcknowledgeReceipt": {},
    "OverrideAssignment": {
        "action": pb.OverrideAssignmentRequest.ACTION_APPROVE,
        "reason": "Nobody answers",
    },
}
ANSWERS = ("AcceptProposal", "DeclineProposal", "WithdrawProposal")


def said(harness: Harness, rpc: str, assignment: str) -> Any:
    content = CONTENTS[rpc].copy()
    if "deadline_time" in content:
        content["deadline_time"] = to_timestamp(harness.now)
    whose = "parent" if rpc == "CreateProposal" else "name"
    name = f"{assignment}/proposals/1" if rpc in ANSWERS else assignment
    return REQUESTS[rpc](**content, **{whose: name}, request_id=request_id())


def senders(harness: Harness, rpc: str, brand: str, creator: str) -> list[Any]:
    """The RPC as each permitted side calls it."""
    channels = {
        Role.BRAND: harness.served.as_brand(brand),
        Role.CREATOR: harness.served.as_creator(creator),
    }
    sides = [channels[role] for role in channels if role in ACCESS[rpc].roles]
    return [getattr(AssignmentServiceStub(channel), rpc) for channel in sides]


def test_every_command_is_covered() -> None:
    assert CONTENTS.keys() == REQUESTS.keys()


@pytest.mark.parametrize("rpc", REQUESTS)
async def test_a_command_of_another_caller_changes_nothing(harness: Harness, rpc: str) -> None:
    assignment = await harness.assignment()
    for name in (assignment, "assignments/unknown"):
        for send in senders(harness, rpc, "evil", "eve"):
            async with harness.refuses(Reason.NOT_YOURS) as caught:
                await send(said(harness, rpc, name))
            # The error does not reveal which of the two exists.
            assert caught.value.message == f"{name} is not yours to see or to change"
    channels = {
        Role.BRAND: harness.served.as_brand("acme"),
        Role.CREATOR: harness.served.as_creator("anna"),
        Role.MEDIATOR: harness.served.as_mediator(),
        Role.OPERATOR: harness.served.as_operator(),
        Role.SERVICE: harness.served.as_service(),
        Role.PLATFORM: harness.served.as_platform(),
    }
    for role in channels.keys() - ACCESS[rpc].roles:
        async with harness.refuses(Reason.ROLE_NOT_ALLOWED):
            await getattr(AssignmentServiceStub(channels[role]), rpc)(
                said(harness, rpc, assignment)
            )
    assert not harness.workflows.commands


@pytest.mark.parametrize("rpc", REQUESTS)
async def test_all_missing_fields_of_a_command_are_named_at_once(
    harness: Harness, rpc: str
) -> None:
    whose = "parent" if rpc == "CreateProposal" else "name"
    missing = [field for field in CONTENTS[rpc] if field != "deadline_time"]
    missing += ["deadline_time"] if rpc == "ReopenAssignment" else []
    sides = senders(harness, rpc, "acme", "anna")
    sides = sides or [getattr(AssignmentServiceStub(harness.served.as_operator()), rpc)]
    for send in sides:
        async with harness.refuses(Reason.INVALID_FIELDS, whose, "request_id", *missing):
            await send(REQUESTS[rpc]())
    assert not harness.workflows.commands


@pytest.mark.parametrize("rpc", REQUESTS)
async def test_a_command_is_sent_once_and_again_after_an_unknown_outcome(
    harness: Harness, rpc: str
) -> None:
    request = said(harness, rpc, await harness.assignment())
    sides = senders(harness, rpc, "acme", "anna")
    send = (
        sides[0]
        if sides
        else AssignmentServiceStub(harness.served.as_operator()).OverrideAssignment
    )
    harness.workflows.refusal = Internal(Reason.OUTCOME_UNKNOWN, "No answer")
    with refused(Reason.OUTCOME_UNKNOWN):
        await send(request)
    harness.workflows.refusal = None
    first = await send(request)
    assert await send(request) == first
    # Under the same id both times: the workflow recognises the repetition.
    assert len(harness.workflows.commands) == 2
    assert {id_ for _, id_ in harness.workflows.commands} == {request.request_id}
