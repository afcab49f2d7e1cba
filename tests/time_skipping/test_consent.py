"""What binds only when both agree; silence changes nothing."""

import pytest

from servicekit.errors import Reason
from tests.support.serving import refused
from tests.time_skipping.moments import DAY, MINUTE
from tests.time_skipping.stage import Stage

pytestmark = pytest.mark.xdist_group("months")


@pytest.mark.rule("R40")
async def test_a_granted_extension_moves_the_deadline(stage: Stage) -> None:
    life = await stage.selected_creator()
    _, deadline = await life.clock()
    await life.pass_time(9 * DAY)
    later = deadline + 5 * DAY
    with refused(Reason.DEADLINE_NOT_LATER):
        await life.propose_extension(deadline - DAY)
    proposal = await life.propose_extension(later)
    with refused(Reason.PROPOSAL_PENDING):
        await life.propose_extension(later + DAY)
    await life.accept(life.brand, proposal)
    assert await life.clock() == ("SUBMISSION", later)
    await life.pass_until(later, -MINUTE)
    assert await life.state() == "IN_PROGRESS"
    await life.submit()
    assert "WORK_SUBMITTED" in await life.events()


@pytest.mark.rule("R40")
async def test_a_declined_extension_and_one_without_an_answer_change_nothing(
    stage: Stage,
) -> None:
    life = await stage.selected_creator()
    _, deadline = await life.clock()
    await life.decline(life.brand, await life.propose_extension(deadline + 5 * DAY))
    withdrawn = await life.propose_extension(deadline + 6 * DAY)
    await life.withdraw(life.creator.caller, withdrawn)
    unanswered = await life.propose_extension(deadline + 7 * DAY)
    await life.pass_until(deadline)
    assignment = await life.until("EXPIRED")
    states = [one.State.Name(one.state) for one in assignment.proposals]
    assert states == ["STATE_DECLINED", "STATE_WITHDRAWN", "STATE_LAPSED"]
    with refused(Reason.ILLEGAL_STATE):
        await life.accept(life.brand, unanswered)


@pytest.mark.rule("R49", "R50")
async def test_changed_requirements_bind_once_the_creator_accepts(stage: Stage) -> None:
    life = await stage.selected_creator()
    declined = await life.propose_amendment("Show it in use", "Sing about it")
    await life.decline(life.creator.caller, declined)
    proposal = await life.propose_amendment("Show it in use", "Show the label")
    await life.submit()
    with refused(Reason.UNKNOWN_REQUIREMENT):
        await life.ask("req-3")
    await life.pass_time(3 * DAY)
    assert [one.id for one in (await life.read()).requirements] == ["req-1"]
    await life.accept(life.creator.caller, proposal)
    assert [one.id for one in (await life.read()).requirements] == ["req-1", "req-3"]
    await life.ask("req-3")
    await life.until("CHANGES_REQUESTED")


@pytest.mark.rule("R46", "R47")
async def test_nobody_leaves_without_the_others_consent(stage: Stage) -> None:
    life = await stage.selected_creator()
    await life.decline(life.brand, await life.propose_cancellation(life.creator.caller))
    await life.decline(life.creator.caller, await life.propose_cancellation(life.brand))
    await life.propose_cancellation(life.creator.caller)
    await life.pass_time(9 * DAY)
    assert await life.state() == "IN_PROGRESS"
    await life.pass_time(DAY + MINUTE)
    await life.until("EXPIRED")


@pytest.mark.rule("R46")
async def test_both_may_agree_to_end_it_without_a_reward(stage: Stage) -> None:
    life = await stage.selected_creator()
    await life.submit()
    await life.pass_time(2 * DAY)
    await life.accept(life.brand, await life.propose_cancellation(life.creator.caller))
    await life.until("CANCELLED")
    await life.until_payout("RELEASED")
