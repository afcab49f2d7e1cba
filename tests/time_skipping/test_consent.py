"""Changes that need both sides' consent; silence changes nothing."""

import pytest

from servicekit.errors import Reason
from tests.support.serving import refused
from tests.time_skipping.harness import Harness
from tests.time_skipping.timing import DAY, MINUTE

pytestmark = pytest.mark.xdist_group("time_skipping")


@pytest.mark.rule("R40")
async def test_a_granted_extension_moves_the_deadline(harness: Harness) -> None:
    assignment = await harness.selected_creator()
    _, deadline = await assignment.clock()
    await assignment.pass_time(9 * DAY)
    later = deadline + 5 * DAY
    with refused(Reason.DEADLINE_NOT_LATER):
        await assignment.propose_extension(deadline - DAY)
    proposal = await assignment.propose_extension(later)
    with refused(Reason.PROPOSAL_PENDING):
        await assignment.propose_extension(later + DAY)
    await assignment.accept(assignment.brand, proposal)
    assert await assignment.clock() == ("SUBMISSION", later)
    await assignment.pass_until(later, -MINUTE)
    assert await assignment.state() == "IN_PROGRESS"
    await assignment.submit()
    assert "WORK_SUBMITTED" in await assignment.events()


@pytest.mark.rule("R40")
async def test_a_declined_extension_and_one_without_an_answer_change_nothing(
    harness: Harness,
) -> None:
    assignment = await harness.selected_creator()
    _, deadline = await assignment.clock()
    await assignment.decline(
        assignment.brand, await assignment.propose_extension(deadline + 5 * DAY)
    )
    withdrawn = await assignment.propose_extension(deadline + 6 * DAY)
    await assignment.withdraw(assignment.creator.caller, withdrawn)
    unanswered = await assignment.propose_extension(deadline + 7 * DAY)
    await assignment.pass_until(deadline)
    resource = await assignment.until("EXPIRED")
    states = [one.State.Name(one.state) for one in resource.proposals]
    assert states == ["STATE_DECLINED", "STATE_WITHDRAWN", "STATE_LAPSED"]
    with refused(Reason.ILLEGAL_STATE):
        await assignment.accept(assignment.brand, unanswered)


@pytest.mark.rule("R49", "R50")
async def test_changed_requirements_bind_once_the_creator_accepts(harness: Harness) -> None:
    assignment = await harness.selected_creator()
    declined = await assignment.propose_amendment("Show it in use", "Sing about it")
    await assignment.decline(assignment.creator.caller, declined)
    proposal = await assignment.propose_amendment("Show it in use", "Show the label")
    await assignment.submit()
    with refused(Reason.UNKNOWN_REQUIREMENT):
        await assignment.ask("req-3")
    await assignment.pass_time(3 * DAY)
    assert [one.id for one in (await assignment.read()).requirements] == ["req-1"]
    await assignment.accept(assignment.creator.caller, proposal)
    assert [one.id for one in (await assignment.read()).requirements] == ["req-1", "req-3"]
    await assignment.ask("req-3")
    await assignment.until("CHANGES_REQUESTED")


@pytest.mark.rule("R46", "R47")
async def test_nobody_leaves_without_the_others_consent(harness: Harness) -> None:
    assignment = await harness.selected_creator()
    await assignment.decline(
        assignment.brand, await assignment.propose_cancellation(assignment.creator.caller)
    )
    await assignment.decline(
        assignment.creator.caller, await assignment.propose_cancellation(assignment.brand)
    )
    await assignment.propose_cancellation(assignment.creator.caller)
    await assignment.pass_time(9 * DAY)
    assert await assignment.state() == "IN_PROGRESS"
    await assignment.pass_time(DAY + MINUTE)
    await assignment.until("EXPIRED")


@pytest.mark.rule("R46")
async def test_both_may_agree_to_end_it_without_a_reward(harness: Harness) -> None:
    assignment = await harness.selected_creator()
    await assignment.submit()
    await assignment.pass_time(2 * DAY)
    await assignment.accept(
        assignment.brand, await assignment.propose_cancellation(assignment.creator.caller)
    )
    await assignment.until("CANCELLED")
    await assignment.until_payout("RELEASED")
