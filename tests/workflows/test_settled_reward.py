"""A mediator lowers or cancels a reward that is due: possible until it is sent."""

import pytest

from tests.workflows.drivers import BRAND, CREATOR, DAY, HOUR, AssignmentDriver
from tests.workflows.harness import Harness
from workflows.assignment.model import Event, Funding, State
from workflows.dispute.model import Ground, Outcome
from workflows.notices import MEDIATORS
from workflows.payout.model import PayoutChanged, PayoutResult
from workflows.payout.model import State as Payout

_PART = {"amount_minor": 4_000, "amount_currency": "USD"}


async def _approved(harness: Harness, funding: Funding = Funding.ESCROW) -> AssignmentDriver:
    assignment = await harness.assignment(funding=funding)
    await assignment.submit()
    await assignment.approve()
    return assignment


def _set_aside(harness: Harness) -> list[tuple[int, int | None]]:
    return [(one.amount_minor, one.reserved_minor) for one in harness.reservations]


async def _payout_ended(assignment: AssignmentDriver) -> Payout:
    handle = assignment.harness.environment.client.get_workflow_handle(
        assignment.payout.id, result_type=PayoutResult
    )
    return (await handle.result()).state


async def test_a_partial_amount_of_a_held_payout_is_paid_at_once(harness: Harness) -> None:
    harness.send_answers = [Payout.FAILED]
    assignment = await _approved(harness)
    await assignment.saw(Event.PAYOUT_FAILED)
    dispute = await assignment.dispute(Ground.FRAUD, BRAND)
    await harness.pass_time(3 * DAY)
    harness.send_answers = [Payout.PAID]
    await assignment.decide(dispute, Outcome.PAY_PARTIAL, **_PART)
    await assignment.saw(Event.COMPLETED)
    assert _set_aside(harness) == [(4_000, 10_000)]
    assert [order.attempt for order, _ in harness.sent] == [1, 2]
    assert assignment.recorded.payable_minor == 4_000


async def test_a_held_payout_is_cancelled(harness: Harness) -> None:
    harness.send_answers = [Payout.FAILED]
    assignment = await _approved(harness)
    await assignment.saw(Event.PAYOUT_FAILED)
    dispute = await assignment.dispute(Ground.FRAUD, BRAND)
    await assignment.decide(dispute, Outcome.CANCEL_WITHOUT_PAY)
    assert await assignment.ended() is State.CANCELLED
    assert await _payout_ended(assignment) is Payout.RELEASED
    assert [one.amount_minor for one in harness.settled] == [0]
    assert len(harness.sent) == 1


@pytest.mark.parametrize("outcome", [Outcome.PAY_PARTIAL, Outcome.CANCEL_WITHOUT_PAY])
async def test_what_was_sent_before_it_was_held_is_paid_as_it_was(
    harness: Harness, outcome: Outcome
) -> None:
    harness.send_answers = harness.refresh_answers = [Payout.SENT]
    assignment = await _approved(harness)
    await harness.until(lambda: harness.sent)
    dispute = await assignment.dispute(Ground.FRAUD, BRAND)
    values = _PART if outcome is Outcome.PAY_PARTIAL else {}
    await assignment.decide(dispute, outcome, **values)
    await assignment.saw(Event.DECISION_OVERTAKEN)
    assert assignment.recorded.payable_minor == 10_000
    recipients = {
        one.recipient for one in harness.sent_notices if one.event == Event.DECISION_OVERTAKEN
    }
    assert recipients == {BRAND, CREATOR, MEDIATORS}
    harness.refresh_answers = [Payout.PAID]
    await harness.pass_time(HOUR)
    await assignment.saw(Event.COMPLETED)
    assert harness.reservations == []


@pytest.mark.parametrize("outcome", [Outcome.PAY_PARTIAL, Outcome.CANCEL_WITHOUT_PAY])
async def test_what_was_written_off_before_a_mediator_decided_stays_so(
    harness: Harness, outcome: Outcome
) -> None:
    harness.send_answers = [Payout.FAILED]
    assignment = await _approved(harness)
    await assignment.saw(Event.PAYOUT_FAILED)
    dispute = await assignment.dispute(Ground.FRAUD, BRAND)
    harness.money[assignment.id] = Payout.WRITTEN_OFF
    await assignment.signal_payout("payout_changed", PayoutChanged(Payout.WRITTEN_OFF, 1))
    await assignment.saw(Event.REWARD_WRITTEN_OFF)
    values = _PART if outcome is Outcome.PAY_PARTIAL else {}
    await assignment.decide(dispute, outcome, **values)
    await assignment.saw(Event.DECISION_OVERTAKEN)
    (text,) = {one.text for one in harness.sent_notices if one.event == Event.DECISION_OVERTAKEN}
    assert "had written it off" in text
    assert await assignment.ended() is State.CANCELLED


async def _waits_for_funds(harness: Harness) -> tuple[AssignmentDriver, str]:
    harness.funds_minor = 0
    assignment = await _approved(harness, Funding.ON_APPROVAL)
    await harness.until(lambda: harness.funds_minor > 0)
    return assignment, await assignment.dispute(Ground.FRAUD, BRAND)


async def test_a_lowered_payout_that_waits_for_funds_is_reserved_in_part(harness: Harness) -> None:
    assignment, dispute = await _waits_for_funds(harness)
    await assignment.decide(dispute, Outcome.PAY_PARTIAL, **_PART)
    await assignment.saw(Event.COMPLETED)
    assert _set_aside(harness) == [(4_000, None)]


async def test_a_cancelled_payout_that_waits_for_funds_is_never_reserved(
    harness: Harness,
) -> None:
    assignment, dispute = await _waits_for_funds(harness)
    await assignment.decide(dispute, Outcome.CANCEL_WITHOUT_PAY)
    assert await assignment.ended() is State.CANCELLED
    assert await _payout_ended(assignment) is Payout.RELEASED
    assert harness.reservations == []
    assert harness.releases == []


async def test_the_reservation_of_a_cancelled_reward_is_released(
    harness: Harness,
) -> None:
    harness.send_answers = [Payout.FAILED]
    assignment = await _approved(harness, Funding.ON_APPROVAL)
    await assignment.saw(Event.PAYOUT_FAILED)
    dispute = await assignment.dispute(Ground.FRAUD, BRAND)
    await assignment.decide(dispute, Outcome.CANCEL_WITHOUT_PAY)
    assert await _payout_ended(assignment) is Payout.RELEASED
    assert harness.releases == [assignment.id]
