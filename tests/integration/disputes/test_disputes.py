"""Disputes from opening to decision, through the real services and workflows."""

from datetime import timedelta
from uuid import uuid4

import pytest
from google.type.money_pb2 import Money
from liaison.disputes.v1 import disputes_pb2 as pb

from servicekit.clock import utc_now
from servicekit.errors import Reason
from servicekit.timestamps import to_timestamp
from tests.integration.disputes.harness import Harness, deciding, eventually, opening
from tests.support.serving import refused, request_id

# One Temporal server for all of them.
pytestmark = pytest.mark.xdist_group("disputes")


@pytest.mark.rule("R14")
async def test_a_dispute_is_opened_claimed_and_decided(harness: Harness) -> None:
    assignment_id = await harness.assignment()
    opened = await harness.open(assignment_id)
    assert (opened.state, opened.opener, opened.brand) == (
        pb.Dispute.STATE_OPEN,
        "creators/bea",
        "brands/acme",
    )
    assert opened.resolution_due_time.ToDatetime() > opened.answer_due_time.ToDatetime()
    assert opened.reward == Money(currency_code="USD", units=100)
    for reader in (harness.creator(), harness.brand(), harness.mediator(), harness.worker):
        assert await reader.GetDispute(pb.GetDisputeRequest(name=opened.name)) == opened
    assert (await harness.recorded(assignment_id)).open_dispute == opened.name

    claimed = await harness.mediator().ClaimDispute(
        pb.ClaimDisputeRequest(name=opened.name, request_id=request_id())
    )
    assert (claimed.state, claimed.mediator) == (pb.Dispute.STATE_UNDER_REVIEW, "staff/mia")
    decided = await harness.mediator().DecideDispute(deciding(opened, pb.Decision.OUTCOME_DISMISS))
    assert decided.state == pb.Dispute.STATE_RESOLVED
    assert decided.decision.outcome == pb.Decision.OUTCOME_DISMISS
    assert decided.decision.HasField("decide_time")
    assert await harness.brand().GetDispute(pb.GetDisputeRequest(name=opened.name)) == decided

    async def is_applied() -> bool:
        return not (await harness.recorded(assignment_id)).open_dispute

    await eventually(is_applied)
    for channel in (
        harness.notifications.as_brand("acme"),
        harness.notifications.as_creator("bea"),
    ):
        notified = [
            event for event in await harness.notified(channel) if event.startswith("DISPUTE_")
        ]
        assert {"DISPUTE_OPENED", "DISPUTE_CLAIMED", "DISPUTE_DECIDED"} <= set(notified)
    assert "DISPUTE_OPENED" in await harness.notified(harness.notifications.as_mediator())


async def test_a_brand_opens_on_its_own_grounds(harness: Harness) -> None:
    request = opening(await harness.assignment(), ground=pb.GROUND_FRAUD)
    assert (await harness.brand().OpenDispute(request)).opener == "brands/acme"


async def test_the_opener_withdraws(harness: Harness) -> None:
    opened = await harness.open(await harness.assignment())
    request = pb.WithdrawDisputeRequest(name=opened.name, request_id=request_id())
    with refused(Reason.NOT_YOURS):
        await harness.brand().WithdrawDispute(request)
    withdrawn = await harness.creator().WithdrawDispute(request)
    assert withdrawn.state == pb.Dispute.STATE_WITHDRAWN
    assert not withdrawn.HasField("decision")
    with refused(Reason.ILLEGAL_STATE):
        await harness.mediator().ClaimDispute(
            pb.ClaimDisputeRequest(name=opened.name, request_id=request_id())
        )


async def test_a_repeated_opening_is_the_first_one(harness: Harness) -> None:
    request = opening(await harness.assignment())
    first = await harness.creator().OpenDispute(request)
    assert await harness.creator().OpenDispute(request) == first
    request.dispute.statement = "Something else"
    with refused(Reason.REQUEST_ID_REUSED):
        await harness.creator().OpenDispute(request)


@pytest.mark.parametrize("command", ["ClaimDispute", "DecideDispute"])
async def test_a_repeated_request_gets_a_lost_answer(harness: Harness, command: str) -> None:
    """The workflow keeps its first answer even after it ended; the service may have lost it."""
    dispute = await harness.open(await harness.assignment())
    claim = pb.ClaimDisputeRequest(name=dispute.name, request_id=request_id())
    decide = deciding(dispute, pb.Decision.OUTCOME_DISMISS)
    answers = {
        "ClaimDispute": await harness.mediator().ClaimDispute(claim),
        "DecideDispute": await harness.mediator().DecideDispute(decide),
    }
    request = claim if command == "ClaimDispute" else decide
    await harness.database.execute("UPDATE request SET response = NULL")
    await harness.temporal.get_workflow_handle(
        dispute.name.replace("disputes/", "dispute/")
    ).result()
    assert await getattr(harness.mediator(), command)(request) == answers[command]


async def test_one_dispute_at_a_time(harness: Harness) -> None:
    assignment_id = await harness.assignment()
    await harness.open(assignment_id)
    with refused(Reason.DISPUTE_ALREADY_OPEN):
        await harness.brand().OpenDispute(opening(assignment_id, ground=pb.GROUND_FRAUD))


async def test_only_the_two_sides_open_and_read(harness: Harness) -> None:
    assignment_id = await harness.assignment()
    with refused(Reason.NOT_YOURS):
        await harness.creator("carl").OpenDispute(opening(assignment_id))
    with refused(Reason.NOT_YOURS):
        await harness.brand("other").OpenDispute(opening(assignment_id, ground=pb.GROUND_FRAUD))
    with refused(Reason.NOT_YOURS):
        await harness.creator().OpenDispute(opening("absent"))
    opened = await harness.open(assignment_id)
    for name in (opened.name, "disputes/absent"):
        for stranger in (harness.creator("carl"), harness.brand("other")):
            with refused(Reason.NOT_YOURS):
                await stranger.GetDispute(pb.GetDisputeRequest(name=name))
    with refused(Reason.NOT_FOUND):
        await harness.mediator().GetDispute(pb.GetDisputeRequest(name="disputes/absent"))


async def test_each_role_may_call_its_own_rpcs_only(harness: Harness) -> None:
    name = f"disputes/{uuid4()}"
    with refused(Reason.ROLE_NOT_ALLOWED):
        await harness.mediator().OpenDispute(opening("a1"))
    for side in (harness.creator(), harness.brand()):
        with refused(Reason.ROLE_NOT_ALLOWED):
            await side.ClaimDispute(pb.ClaimDisputeRequest(name=name, request_id=request_id()))
        with refused(Reason.ROLE_NOT_ALLOWED):
            await side.DecideDispute(deciding(pb.Dispute(name=name), pb.Decision.OUTCOME_DISMISS))
        with refused(Reason.ROLE_NOT_ALLOWED):
            await side.RecordDispute(pb.RecordDisputeRequest())


async def test_the_other_sides_grounds_are_refused(harness: Harness) -> None:
    assignment_id = await harness.assignment()
    with refused(Reason.DISPUTE_NOT_ALLOWED):
        await harness.creator().OpenDispute(opening(assignment_id, ground=pb.GROUND_FRAUD))
    with refused(Reason.DISPUTE_NOT_ALLOWED):
        await harness.brand().OpenDispute(opening(assignment_id))
    with refused(Reason.DISPUTE_NOT_ALLOWED):
        await harness.creator().OpenDispute(opening(assignment_id, ground=pb.GROUND_REVIEW_SILENCE))
    with refused(Reason.DISPUTE_NOT_ALLOWED):
        await harness.creator().OpenDispute(opening(assignment_id, ground=pb.GROUND_LATE_REWARD))
    assert not (await harness.recorded(assignment_id)).open_dispute


async def test_an_assignment_that_is_over_is_not_disputed(harness: Harness) -> None:
    assignment_id = await harness.assignment()
    await harness.temporal.get_workflow_handle(f"assignment/{assignment_id}").terminate()
    with refused(Reason.DISPUTE_NOT_ALLOWED):
        await harness.open(assignment_id)


async def test_bad_fields_are_named_together(harness: Harness) -> None:
    for statement in ("x" * 4001, "a\0b", "\u200b"):
        with refused(Reason.INVALID_FIELDS, "dispute.assignment", "dispute.statement"):
            await harness.creator().OpenDispute(opening("a b", statement=statement))
    with refused(
        Reason.INVALID_FIELDS,
        "dispute.assignment",
        "dispute.ground",
        "dispute.statement",
        "request_id",
    ):
        await harness.creator().OpenDispute(pb.OpenDisputeRequest(dispute=pb.Dispute(name="x")))


async def test_a_decision_must_fit_its_dispute(harness: Harness) -> None:
    dispute = await harness.claimed()
    mia = harness.mediator()
    with refused(Reason.INVALID_FIELDS, "decision.deadline_time"):
        await mia.DecideDispute(deciding(dispute, pb.Decision.OUTCOME_REDO))
    with refused(Reason.INVALID_FIELDS, "decision.amount"):
        await mia.DecideDispute(
            deciding(
                dispute, pb.Decision.OUTCOME_DISMISS, amount=Money(currency_code="USD", units=1)
            )
        )
    with refused(Reason.NOT_YOURS):
        await harness.mediator("max").DecideDispute(deciding(dispute, pb.Decision.OUTCOME_DISMISS))
    assert await mia.GetDispute(pb.GetDisputeRequest(name=dispute.name)) == dispute
    deadline_time = to_timestamp(utc_now() + timedelta(days=3))
    redo = deciding(dispute, pb.Decision.OUTCOME_REDO, deadline_time=deadline_time)
    assert (await mia.DecideDispute(redo)).decision.deadline_time == deadline_time


async def test_an_outcome_that_is_not_offered_is_refused(harness: Harness) -> None:
    dispute = await harness.claimed()
    dispute.sequence += 1
    del dispute.allowed_outcomes[:]
    dispute.allowed_outcomes.append(pb.Decision.OUTCOME_DISMISS)
    await harness.worker.RecordDispute(pb.RecordDisputeRequest(dispute=dispute))
    with refused(Reason.OUTCOME_NOT_ALLOWED):
        await harness.mediator().DecideDispute(deciding(dispute, pb.Decision.OUTCOME_PAY_IN_FULL))


async def test_an_unclaimed_dispute_is_not_decided(harness: Harness) -> None:
    dispute = await harness.open(await harness.assignment())
    with refused(Reason.ILLEGAL_STATE):
        await harness.mediator().DecideDispute(deciding(dispute, pb.Decision.OUTCOME_DISMISS))


async def test_an_older_record_changes_nothing(harness: Harness) -> None:
    claimed = await harness.claimed()
    older = pb.Dispute()
    older.CopyFrom(claimed)
    older.state, older.sequence = pb.Dispute.STATE_OPEN, 1
    await harness.worker.RecordDispute(pb.RecordDisputeRequest(dispute=older))
    found = await harness.mediator().GetDispute(pb.GetDisputeRequest(name=claimed.name))
    assert found == claimed


async def test_lists_show_the_queue_oldest_first(harness: Harness) -> None:
    opened = [await harness.open(await harness.assignment()) for _ in range(3)]
    await harness.mediator().ClaimDispute(
        pb.ClaimDisputeRequest(name=opened[0].name, request_id=request_id())
    )
    names = [dispute.name for dispute in opened]
    for reader in (harness.creator(), harness.brand(), harness.mediator()):
        page = await reader.ListDisputes(pb.ListDisputesRequest(page_size=2))
        assert [one.name for one in page.disputes] == names[:2]
        rest = await reader.ListDisputes(
            pb.ListDisputesRequest(page_size=2, page_token=page.next_page_token)
        )
        assert [one.name for one in rest.disputes] == names[2:]
        assert not rest.next_page_token
    waiting = pb.ListDisputesRequest(states=[pb.Dispute.STATE_OPEN])
    page = await harness.mediator().ListDisputes(waiting)
    assert [one.name for one in page.disputes] == names[1:]
    for stranger in (harness.creator("carl"), harness.brand("other")):
        assert not (await stranger.ListDisputes(pb.ListDisputesRequest())).disputes
