"""Proposals: what may be proposed and answered, and the commands sent to the workflow."""

from datetime import UTC, datetime
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from liaison.tasks.v1 import assignments_pb2 as pb
from liaison.tasks.v1.tasks_pb2 import Requirement

from servicekit.errors import PermissionDenied, Reason
from servicekit.timestamps import to_timestamp
from tests.integration.tasks.harness import Harness
from tests.support.serving import refused, request_id
from workflows.assignment import commands
from workflows.assignment.commands import CreateProposal
from workflows.assignment.model import ProposalKind

NAME = "assignments/a1"
# The workflow has the clock and refuses times in the past.
TIME = datetime(2026, 2, 28, 12, tzinfo=UTC)
LATE = Timestamp(seconds=int(datetime(2100, 1, 1, tzinfo=UTC).timestamp()))
ANSWERS = {
    "AcceptProposal": pb.AcceptProposalRequest,
    "DeclineProposal": pb.DeclineProposalRequest,
    "WithdrawProposal": pb.WithdrawProposalRequest,
}


def proposing(parent: str = NAME, reason: str = "So it is", **terms: Any) -> Any:
    proposal = pb.Proposal(reason=reason, **terms or {"cancellation": pb.Cancellation()})
    return pb.CreateProposalRequest(parent=parent, proposal=proposal, request_id=request_id())


def amendment(*texts: str) -> pb.Amendment:
    return pb.Amendment(requirements=[Requirement(text=text) for text in texts])


@pytest.fixture
async def begun(harness: Harness) -> Harness:
    await harness.assignment(await harness.task(), "a1")
    return harness


@pytest.mark.parametrize(
    ("terms", "kind", "said"),
    [
        (
            {"extension": pb.Extension(deadline_time=to_timestamp(TIME))},
            ProposalKind.EXTENSION,
            (TIME, []),
        ),
        ({"amendment": amendment("One", "Two")}, ProposalKind.AMENDMENT, (None, ["One", "Two"])),
        ({"cancellation": pb.Cancellation()}, ProposalKind.CANCELLATION, (None, [])),
        (
            {"early_shipment": pb.EarlyShipment(shipment_due_time=to_timestamp(TIME))},
            ProposalKind.EARLY_SHIPMENT,
            (TIME, []),
        ),
    ],
)
async def test_each_side_may_send_every_proposal_to_the_workflow(
    begun: Harness, terms: dict[str, Any], kind: ProposalKind, said: tuple[Any, Any]
) -> None:
    first, second = proposing(**terms), proposing(**terms)
    answer = await begun.work_of().CreateProposal(first)
    assert answer.name == NAME
    await begun.review_of().CreateProposal(second)
    assert begun.workflows.commands == [
        (
            "a1",
            "CreateProposal",
            CreateProposal("creators/bea", kind, "So it is", *said),
            first.request_id,
        ),
        (
            "a1",
            "CreateProposal",
            CreateProposal("brands/acme", kind, "So it is", *said),
            second.request_id,
        ),
    ]


async def test_ids_of_requirements_are_not_the_brands_to_choose(begun: Harness) -> None:
    proposed = pb.Amendment(requirements=[Requirement(id="req-9", text="One")])
    await begun.review_of().CreateProposal(proposing(amendment=proposed))
    ((_, _, said, _),) = begun.workflows.commands
    assert isinstance(said, CreateProposal)
    assert said.requirement_texts == ["One"]


async def test_the_workflows_refusal_of_a_proposal_is_returned(
    begun: Harness,
) -> None:
    begun.workflows.refusal = PermissionDenied(Reason.ROLE_NOT_ALLOWED, "The creator's only")
    with refused(Reason.ROLE_NOT_ALLOWED) as caught:
        await begun.review_of().CreateProposal(proposing())
    assert isinstance(caught.value, PermissionDenied)


@pytest.mark.parametrize("rpc", ANSWERS)
@pytest.mark.parametrize("number", [1, 12, 999_999])
async def test_an_answer_names_the_proposal(begun: Harness, rpc: str, number: int) -> None:
    for stub, actor in ((begun.work_of(), "creators/bea"), (begun.review_of(), "brands/acme")):
        request = ANSWERS[rpc](name=f"{NAME}/proposals/{number}", request_id=request_id())
        answer = await getattr(stub, rpc)(request)
        assert answer.name == NAME
        command = getattr(commands, rpc)(actor, number)
        said = ("a1", rpc, command, request.request_id)
        assert begun.workflows.commands[-1] == said


@pytest.mark.parametrize("rpc", ANSWERS)
@pytest.mark.parametrize(
    "name",
    [
        NAME,
        f"{NAME}/proposals/",
        f"{NAME}/proposals/0",
        f"{NAME}/proposals/-1",
        f"{NAME}/proposals/01",
        f"{NAME}/proposals/1.0",
        f"{NAME}/proposals/1_0",
        f"{NAME}/proposals/1e3",
        f"{NAME}/proposals/１",
        f"{NAME}/proposals/one",
        f"{NAME}/proposals/1/1",
        f"{NAME}/proposals/1\n",
        f"{NAME}/proposals/1000000",
        f"{NAME}/proposals/" + "9" * 60,
        "tasks/a1/proposals/1",
        "assignments//proposals/1",
    ],
)
async def test_what_is_no_proposals_name_is_refused(begun: Harness, rpc: str, name: str) -> None:
    with refused(Reason.INVALID_FIELDS, "name"):
        await getattr(begun.work_of(), rpc)(ANSWERS[rpc](name=name, request_id=request_id()))
    assert begun.workflows.commands == []


@pytest.mark.parametrize(
    ("fields", "terms"),
    [
        (["proposal.extension.deadline_time"], {"extension": pb.Extension()}),
        (["proposal.extension.deadline_time"], {"extension": pb.Extension(deadline_time=LATE)}),
        (
            ["proposal.extension.deadline_time"],
            {"extension": pb.Extension(deadline_time=Timestamp(seconds=10**15))},
        ),
        (["proposal.early_shipment.shipment_due_time"], {"early_shipment": pb.EarlyShipment()}),
        (
            ["proposal.early_shipment.shipment_due_time"],
            {"early_shipment": pb.EarlyShipment(shipment_due_time=LATE)},
        ),
        (["proposal.amendment.requirements"], {"amendment": pb.Amendment()}),
        (
            ["proposal.amendment.requirements"],
            {"amendment": amendment(*(str(number) for number in range(51)))},
        ),
        (["proposal.amendment.requirements"], {"amendment": amendment("Same", "Same")}),
        (
            [f"proposal.amendment.requirements[{number}].text" for number in (1, 2)],
            {"amendment": amendment("One", "x" * 1001, " \n")},
        ),
        (["proposal.amendment.requirements[0].text"], {"amendment": amendment("")}),
        (["proposal.reason"], {"reason": ""}),
        (["proposal.reason"], {"reason": " \t\n"}),
        (["proposal.reason"], {"reason": "x" * 2001}),
        (["proposal.reason"], {"reason": "a\x00b"}),
    ],
)
async def test_an_invalid_proposal_names_its_field(
    begun: Harness, fields: list[str], terms: dict[str, Any]
) -> None:
    for stub in (begun.work_of(), begun.review_of()):
        with refused(Reason.INVALID_FIELDS, *fields):
            await stub.CreateProposal(proposing(**terms))
    assert begun.workflows.commands == []


async def test_a_proposal_proposes_something(begun: Harness) -> None:
    nothing = pb.CreateProposalRequest(
        parent=NAME, proposal=pb.Proposal(reason="So it is"), request_id=request_id()
    )
    with refused(Reason.INVALID_FIELDS, "proposal"):
        await begun.work_of().CreateProposal(nothing)
    with refused(Reason.INVALID_FIELDS, "parent", "proposal", "request_id"):
        await begun.work_of().CreateProposal(pb.CreateProposalRequest())
    with refused(Reason.INVALID_FIELDS, "parent"):
        await begun.work_of().CreateProposal(proposing("assignments/a1/proposals/1"))
    assert begun.workflows.commands == []


async def test_proposals_are_between_the_two_sides(begun: Harness) -> None:
    for stranger in (begun.work_of("cem"), begun.review_of("other")):
        with refused(Reason.NOT_YOURS):
            await stranger.CreateProposal(proposing())
        for rpc, kind in ANSWERS.items():
            request = kind(name=f"{NAME}/proposals/1", request_id=request_id())
            with refused(Reason.NOT_YOURS):
                await getattr(stranger, rpc)(request)
    for party in (begun.work_of(), begun.review_of()):
        with refused(Reason.NOT_YOURS):
            await party.CreateProposal(proposing("assignments/nothing"))
        for rpc, kind in ANSWERS.items():
            request = kind(name="assignments/nothing/proposals/1", request_id=request_id())
            with refused(Reason.NOT_YOURS):
                await getattr(party, rpc)(request)
    for staff in (begun.oversight(), begun.oversight("mediator")):
        with refused(Reason.ROLE_NOT_ALLOWED):
            await staff.CreateProposal(proposing())
        for rpc, kind in ANSWERS.items():
            with refused(Reason.ROLE_NOT_ALLOWED):
                await getattr(staff, rpc)(kind())
    assert begun.workflows.commands == []


async def test_a_repeated_proposal_and_answer_are_sent_once(begun: Harness) -> None:
    proposal = proposing()
    first = await begun.work_of().CreateProposal(proposal)
    assert await begun.work_of().CreateProposal(proposal) == first
    # Request ids are scoped to the command and the caller.
    answer = pb.AcceptProposalRequest(name=f"{NAME}/proposals/1", request_id=proposal.request_id)
    await begun.review_of().AcceptProposal(answer)
    await begun.review_of().AcceptProposal(answer)
    assert [command[1] for command in begun.workflows.commands] == [
        "CreateProposal",
        "AcceptProposal",
    ]
    answer.name = f"{NAME}/proposals/2"
    with refused(Reason.REQUEST_ID_REUSED):
        await begun.review_of().AcceptProposal(answer)
    proposal.proposal.reason = "Another"
    with refused(Reason.REQUEST_ID_REUSED):
        await begun.work_of().CreateProposal(proposal)
    assert len(begun.workflows.commands) == 2
