"""Disputes from opening to decision, through the real services and workflows."""

from datetime import timedelta
from uuid import uuid4

import pytest
from google.type.money_pb2 import Money
from liaison.disputes.v1 import disputes_pb2 as pb

from servicekit.clock import utc_now
from servicekit.errors import Reason
from servicekit.timestamps import to_timestamp
from tests.integration.disputes.house import House, deciding, eventually, opening
from tests.support.serving import refused, request_id

# One Temporal server for all of them.
pytestmark = pytest.mark.xdist_group("disputes")


@pytest.mark.rule("R14")
async def test_a_dispute_is_opened_claimed_and_decided(house: House) -> None:
    assignment_id = await house.assignment()
    opened = await house.open(assignment_id)
    assert (opened.state, opened.opener, opened.brand) == (
        pb.Dispute.STATE_OPEN,
        "creators/bea",
        "brands/acme",
    )
    assert opened.resolution_due_time.ToDatetime() > opened.answer_due_time.ToDatetime()
    assert opened.reward == Money(currency_code="USD", units=100)
    for reader in (house.creator(), house.brand(), house.mediator(), house.worker):
        assert await reader.GetDispute(pb.GetDisputeRequest(name=opened.name)) == opened
    assert (await house.recorded(assignment_id)).open_dispute == opened.name

    claimed = await house.mediator().ClaimDispute(
        pb.ClaimDisputeRequest(name=opened.name, request_id=request_id())
    )
    assert (claimed.state, claimed.mediator) == (pb.Dispute.STATE_UNDER_REVIEW, "staff/mia")
    decided = await house.mediator().DecideDispute(deciding(opened, pb.Decision.OUTCOME_DISMISS))
    assert decided.state == pb.Dispute.STATE_RESOLVED
    assert decided.decision.outcome == pb.Decision.OUTCOME_DISMISS
    assert decided.decision.HasField("decide_time")
    assert await house.brand().GetDispute(pb.GetDisputeRequest(name=opened.name)) == decided

    async def is_applied() -> bool:
        return not (await house.recorded(assignment_id)).open_dispute

    await eventually(is_applied)
    for channel in (house.notifications.as_brand("acme"), house.notifications.as_creator("bea")):
        told = [event for event in await house.told(channel) if event.startswith("DISPUTE_")]
        assert {"DISPUTE_OPENED", "DISPUTE_CLAIMED", "DISPUTE_DECIDED"} <= set(told)
    assert "DISPUTE_OPENED" in await house.told(house.notifications.as_mediator())


async def test_a_brand_opens_on_its_own_grounds(house: House) -> None:
    request = opening(await house.assignment(), ground=pb.GROUND_FRAUD)
    assert (await house.brand().OpenDispute(request)).opener == "brands/acme"


async def test_the_opener_withdraws(house: House) -> None:
    opened = await house.open(await house.assignment())
    request = pb.WithdrawDisputeRequest(name=opened.name, request_id=request_id())
    with refused(Reason.NOT_YOURS):
        await house.brand().WithdrawDispute(request)
    withdrawn = await house.creator().WithdrawDispute(request)
    assert withdrawn.state == pb.Dispute.STATE_WITHDRAWN
    assert not withdrawn.HasField("decision")
    with refused(Reason.ILLEGAL_STATE):
        await house.mediator().ClaimDispute(
            pb.ClaimDisputeRequest(name=opened.name, request_id=request_id())
        )


async def test_a_repeated_opening_is_the_first_one(house: House) -> None:
    request = opening(await house.assignment())
    first = await house.creator().OpenDispute(request)
    assert await house.creator().OpenDispute(request) == first
    request.dispute.statement = "Something else"
    with refused(Reason.REQUEST_ID_REUSED):
        await house.creator().OpenDispute(request)


@pytest.mark.parametrize("command", ["ClaimDispute", "DecideDispute"])
async def test_an_answer_that_was_lost_is_found_again(house: House, command: str) -> None:
    """The workflow knows its first answer, also after its end; the service may have lost it."""
    dispute = await house.open(await house.assignment())
    claim = pb.ClaimDisputeRequest(name=dispute.name, request_id=request_id())
    decide = deciding(dispute, pb.Decision.OUTCOME_DISMISS)
    answers = {
        "ClaimDispute": await house.mediator().ClaimDispute(claim),
        "DecideDispute": await house.mediator().DecideDispute(decide),
    }
    request = claim if command == "ClaimDispute" else decide
    await house.database.execute("UPDATE request SET response = NULL")
    await house.temporal.get_workflow_handle(dispute.name.replace("disputes/", "dispute/")).result()
    assert await getattr(house.mediator(), command)(request) == answers[command]


async def test_one_dispute_at_a_time(house: House) -> None:
    assignment_id = await house.assignment()
    await house.open(assignment_id)
    with refused(Reason.DISPUTE_ALREADY_OPEN):
        await house.brand().OpenDispute(opening(assignment_id, ground=pb.GROUND_FRAUD))


async def test_only_the_two_sides_open_and_read(house: House) -> None:
    assignment_id = await house.assignment()
    with refused(Reason.NOT_YOURS):
        await house.creator("carl").OpenDispute(opening(assignment_id))
    with refused(Reason.NOT_YOURS):
        await house.brand("other").OpenDispute(opening(assignment_id, ground=pb.GROUND_FRAUD))
    with refused(Reason.NOT_YOURS):
        await house.creator().OpenDispute(opening("absent"))
    opened = await house.open(assignment_id)
    for name in (opened.name, "disputes/absent"):
        for stranger in (house.creator("carl"), house.brand("other")):
            with refused(Reason.NOT_YOURS):
                await stranger.GetDispute(pb.GetDisputeRequest(name=name))
    with refused(Reason.NOT_FOUND):
        await house.mediator().GetDispute(pb.GetDisputeRequest(name="disputes/absent"))


async def test_roles_do_what_is_theirs(house: House) -> None:
    name = f"disputes/{uuid4()}"
    with refused(Reason.ROLE_NOT_ALLOWED):
        await house.mediator().OpenDispute(opening("a1"))
    for side in (house.creator(), house.brand()):
        with refused(Reason.ROLE_NOT_ALLOWED):
            await side.ClaimDispute(pb.ClaimDisputeRequest(name=name, request_id=request_id()))
        with refused(Reason.ROLE_NOT_ALLOWED):
            await side.DecideDispute(deciding(pb.Dispute(name=name), pb.Decision.OUTCOME_DISMISS))
        with refused(Reason.ROLE_NOT_ALLOWED):
            await side.RecordDispute(pb.RecordDisputeRequest())


async def test_the_other_sides_grounds_are_refused(house: House) -> None:
    assignment_id = await house.assignment()
    with refused(Reason.DISPUTE_NOT_ALLOWED):
        await house.creator().OpenDispute(opening(assignment_id, ground=pb.GROUND_FRAUD))
    with refused(Reason.DISPUTE_NOT_ALLOWED):
        await house.brand().OpenDispute(opening(assignment_id))
    with refused(Reason.DISPUTE_NOT_ALLOWED):
        await house.creator().OpenDispute(opening(assignment_id, ground=pb.GROUND_REVIEW_SILENCE))
    with refused(Reason.DISPUTE_NOT_ALLOWED):
        await house.creator().OpenDispute(opening(assignment_id, ground=pb.GROUND_LATE_REWARD))
    assert not (await house.recorded(assignment_id)).open_dispute


async def test_an_assignment_that_is_over_is_not_disputed(house: House) -> None:
    assignment_id = await house.assignment()
    await house.temporal.get_workflow_handle(f"assignment/{assignment_id}").terminate()
    with refused(Reason.DISPUTE_NOT_ALLOWED):
        await house.open(assignment_id)


async def test_bad_fields_are_named_together(house: House) -> None:
    for statement in ("x" * 4001, "a\0b", "\u200b"):
        with refused(Reason.INVALID_FIELDS, "dispute.assignment", "dispute.statement"):
            await house.creator().OpenDispute(opening("a b", statement=statement))
    with refused(
        Reason.INVALID_FIELDS,
        "dispute.assignment",
        "dispute.ground",
        "dispute.statement",
        "request_id",
    ):
        await house.creator().OpenDispute(pb.OpenDisputeRequest(dispute=pb.Dispute(name="x")))


async def test_a_decision_must_fit_its_dispute(house: House) -> None:
    dispute = await house.claimed()
    mia = house.mediator()
    with refused(Reason.INVALID_FIELDS, "decision.deadline_time"):
        await mia.DecideDispute(deciding(dispute, pb.Decision.OUTCOME_REDO))
    with refused(Reason.INVALID_FIELDS, "decision.amount"):
        await mia.DecideDispute(
            deciding(
                dispute, pb.Decision.OUTCOME_DISMISS, amount=Money(currency_code="USD", units=1)
            )
        )
    with refused(Reason.NOT_YOURS):
        await house.mediator("max").DecideDispute(deciding(dispute, pb.Decision.OUTCOME_DISMISS))
    assert await mia.GetDispute(pb.GetDisputeRequest(name=dispute.name)) == dispute
    deadline_time = to_timestamp(utc_now() + timedelta(days=3))
    redo = deciding(dispute, pb.Decision.OUTCOME_REDO, deadline_time=deadline_time)
    assert (await mia.DecideDispute(redo)).decision.deadline_time == deadline_time


async def test_an_outcome_that_is_not_offered_is_refused(house: House) -> None:
    dispute = await house.claimed()
    dispute.sequence += 1
    del dispute.allowed_outcomes[:]
    dispute.allowed_outcomes.append(pb.Decision.OUTCOME_DISMISS)
    await house.worker.RecordDispute(pb.RecordDisputeRequest(dispute=dispute))
    with refused(Reason.OUTCOME_NOT_ALLOWED):
        await house.mediator().DecideDispute(deciding(dispute, pb.Decision.OUTCOME_PAY_IN_FULL))


async def test_an_unclaimed_dispute_is_not_decided(house: House) -> None:
    dispute = await house.open(await house.assignment())
    with refused(Reason.ILLEGAL_STATE):
        await house.mediator().DecideDispute(deciding(dispute, pb.Decision.OUTCOME_DISMISS))


async def test_an_older_record_changes_nothing(house: House) -> None:
    claimed = await house.claimed()
    older = pb.Dispute()
    older.CopyFrom(claimed)
    older.state, older.sequence = pb.Dispute.STATE_OPEN, 1
    await house.worker.RecordDispute(pb.RecordDisputeRequest(dispute=older))
    found = await house.mediator().GetDispute(pb.GetDisputeRequest(name=claimed.name))
    assert found == claimed


async def test_lists_show_the_queue_oldest_first(house: House) -> None:
    opened = [await house.open(await house.assignment()) for _ in range(3)]
    await house.mediator().ClaimDispute(
        pb.ClaimDisputeRequest(name=opened[0].name, request_id=request_id())
    )
    names = [dispute.name for dispute in opened]
    for reader in (house.creator(), house.brand(), house.mediator()):
        page = await reader.ListDisputes(pb.ListDisputesRequest(page_size=2))
        assert [one.name for one in page.disputes] == names[:2]
        rest = await reader.ListDisputes(
            pb.ListDisputesRequest(page_size=2, page_token=page.next_page_token)
        )
        assert [one.name for one in rest.disputes] == names[2:]
        assert not rest.next_page_token
    waiting = pb.ListDisputesRequest(states=[pb.Dispute.STATE_OPEN])
    page = await house.mediator().ListDisputes(waiting)
    assert [one.name for one in page.disputes] == names[1:]
    for stranger in (house.creator("carl"), house.brand("other")):
        assert not (await stranger.ListDisputes(pb.ListDisputesRequest())).disputes
