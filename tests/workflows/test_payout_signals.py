"""Signals and restarts that the payouts service sends to workflows."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import WorkflowEnvironment

from servicekit.errors import Reason
from servicekit.money import Money
from servicekit.settings import TemporalSettings
from services.payouts.attempts import AttemptState
from services.payouts.domain import Payout, State, new_attempt
from services.payouts.workflows import PayoutWorkflowClient
from tests.support.serving import refused
from tests.workflows.drivers import BRAND, DAY, HOUR, AssignmentDriver
from tests.workflows.harness import Harness, running_harness
from workflows import ids
from workflows.assignment.model import Event
from workflows.assignment.model import State as AssignmentState
from workflows.dispute.model import Ground, Outcome
from workflows.payout.model import PayoutStatus, PayoutTerms
from workflows.payout.model import State as Seen
from workflows.payout.workflow import PayoutWorkflow
from workflows.policy import STANDARD
from workflows.task_queues import Domain, queue_of
from workflows.temporal.client import Workflows

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def _workflows(address: str) -> PayoutWorkflowClient:
    return PayoutWorkflowClient(
        Workflows(
            TemporalSettings(
                otel_service_name="tests", temporal_address=address, temporal_namespace="default"
            )
        )
    )


def _at(environment: WorkflowEnvironment) -> PayoutWorkflowClient:
    return _workflows(environment.client.service_client.config.target_host)


def _payout(attempts: int, state: State = State.FAILED) -> Payout:
    """A payout whose attempts' money was returned."""
    amount = Money("USD", 10_000)
    payout = Payout(
        id=uuid4().hex,
        state=state,
        brand="acme",
        creator="anna",
        amount=amount,
        reserved_amount=amount,
        held_minor=10_000,
        fee=None,
        was_settled=attempts > 0,
        attempts=(),
        create_time=NOW,
        update_time=NOW,
    )
    return _with_attempts(payout, attempts)


def _with_attempts(payout: Payout, count: int) -> Payout:
    for _ in range(count - len(payout.attempts)):
        attempt = new_attempt(payout, "anna@example.com", NOW)
        returned = replace(attempt, state=AttemptState.RETURNED)
        payout = replace(payout, attempts=(*payout.attempts, returned))
    return payout


async def _result_of(environment: WorkflowEnvironment, payout: Payout) -> Seen:
    handle = environment.client.get_workflow_handle(ids.payout(payout.id))
    result = await handle.result()
    return Seen(result["state"])


async def test_an_ended_payout_workflow_is_restarted_for_the_next_attempt(
    environment: WorkflowEnvironment,
) -> None:
    workflows, payout = _at(environment), _payout(1)
    async with running_harness(environment, "liaison") as harness:
        for attempts in (1, 2):
            payout = _with_attempts(payout, attempts)
            harness.statuses[payout.id] = PayoutStatus(Seen.FAILED, attempts, 10_000)
            await workflows.retry(payout)
            assert await _result_of(environment, payout) is Seen.PAID
        assert [order.attempt for order, _ in harness.sent] == [2, 3]
        assert harness.reservations == []


async def test_a_running_payout_is_signalled_and_not_started_twice(
    environment: WorkflowEnvironment,
) -> None:
    workflows, payout = _at(environment), _payout(1)
    async with running_harness(environment, "liaison") as harness:
        harness.statuses[payout.id] = PayoutStatus(Seen.FAILED, 1, 10_000)
        harness.send_answers = [Seen.FAILED, Seen.PAID]
        await workflows.retry(payout)
        await harness.until(lambda: len(harness.sent) == 1)
        await _is_waiting(harness, payout)
        # Well before the retry interval of a day.
        await workflows.retry(_with_attempts(payout, 2))
        assert await _result_of(environment, payout) is Seen.PAID
        assert [order.attempt for order, _ in harness.sent] == [2, 3]
        first, second = (time for _, time in harness.sent)
        assert (second - first).total_seconds() < 3600


async def _is_lost_in_a_dispute(harness: Harness) -> tuple[AssignmentDriver, str]:
    """Its first attempt has failed, the brand disputes it, and its workflow is ended by force."""
    harness.send_answers = [Seen.FAILED]
    assignment = await harness.assignment()
    await assignment.submit()
    await assignment.approve()
    await assignment.saw(Event.PAYOUT_FAILED)
    dispute = await assignment.dispute(Ground.FRAUD, BRAND)
    await assignment.payout.terminate()
    await assignment.saw(Event.PAYOUT_FAILED, times=2)
    return assignment, dispute


async def test_a_lost_payout_is_restarted_by_the_assignment_and_held_by_a_dispute(
    real_harness: Harness,
) -> None:
    harness = real_harness
    assignment, dispute = await _is_lost_in_a_dispute(harness)
    await _at(harness.environment).retry(replace(_payout(1), id=assignment.id))
    await harness.until(lambda: harness.status_requests)
    harness.send_answers = [Seen.PAID]
    await assignment.decide(dispute, Outcome.PAY_IN_FULL)
    await assignment.saw(Event.COMPLETED)
    assert [order.attempt for order, _ in harness.sent] == [1, 2]
    assert harness.sent[1][1] > assignment.time_of(Event.DISPUTE_RESOLVED)


async def test_a_payout_lost_before_the_assignment_knows_is_restarted(
    harness: Harness,
) -> None:
    harness.send_answers = [Seen.FAILED]
    assignment = await harness.assignment()
    await assignment.submit()
    await assignment.approve()
    await assignment.saw(Event.PAYOUT_FAILED)
    harness.send_answers = [Seen.PAID]
    await assignment.payout.terminate()
    await _at(harness.environment).retry(replace(_payout(1), id=assignment.id))
    await assignment.saw(Event.COMPLETED)
    assert [order.attempt for order, _ in harness.sent] == [1, 2]


async def test_a_running_payout_is_signalled_and_not_restarted(harness: Harness) -> None:
    """Whoever asked before the assignment had started it asks the assignment again."""
    harness.send_answers = [Seen.FAILED]
    assignment = await harness.assignment()
    await assignment.submit()
    await assignment.approve()
    await assignment.saw(Event.PAYOUT_FAILED)
    before = (await assignment.payout.describe()).run_id
    harness.send_answers = [Seen.PAID]
    await assignment.handle.signal("pay_now")
    await assignment.saw(Event.COMPLETED)
    assert (await assignment.payout.describe()).run_id == before
    assert [order.attempt for order, _ in harness.sent] == [1, 2]


async def test_a_mediator_has_a_payout_paid_that_was_restarted_elsewhere(
    real_harness: Harness,
) -> None:
    """Started by hand, for example: a second workflow under the id would fail the assignment."""
    harness = real_harness
    assignment, dispute = await _is_lost_in_a_dispute(harness)
    harness.send_answers = harness.refresh_answers = [Seen.SENT]
    await harness.environment.client.start_workflow(
        PayoutWorkflow.run,
        PayoutTerms(
            assignment.id, "acme", "bea", "USD", 10_000, 10_000, STANDARD.payout_retry_interval
        ),
        id=assignment.payout.id,
        task_queue=queue_of(Domain.PAYOUTS, harness.prefix),
    )
    await harness.until(lambda: len(harness.sent) == 2)
    harness.refresh_answers = [Seen.PAID]
    await assignment.decide(dispute, Outcome.PAY_IN_FULL)
    await assignment.saw(Event.COMPLETED)


async def test_what_came_back_is_paid_again_by_the_assignment_that_is_still_open(
    harness: Harness,
) -> None:
    assignment = await harness.assignment()
    await assignment.submit()
    await assignment.approve()
    await assignment.saw(Event.COMPLETED)
    harness.statuses[assignment.id] = PayoutStatus(Seen.FAILED, 1, 10_000)
    harness.send_answers = [Seen.FAILED]
    await _at(harness.environment).retry(replace(_payout(1), id=assignment.id))
    await assignment.saw(Event.PAYOUT_FAILED)
    assert assignment.recorded.state is AssignmentState.APPROVED
    harness.send_answers = [Seen.PAID]
    await harness.pass_time(DAY + HOUR)
    await assignment.saw(Event.COMPLETED, times=2)
    assert [order.attempt for order, _ in harness.sent] == [1, 2, 3]


async def test_an_unclaimed_payment_without_a_workflow_is_recalled_and_paid(
    environment: WorkflowEnvironment,
) -> None:
    payout = _payout(1, State.UNCLAIMED)
    async with running_harness(environment, "liaison") as harness:
        harness.statuses[payout.id] = PayoutStatus(Seen.UNCLAIMED, 1, 10_000)
        await _at(environment).retry(payout)
        assert await _result_of(environment, payout) is Seen.PAID
        assert [order.attempt for order, _ in harness.recalled] == [1]
        assert [order.attempt for order, _ in harness.sent] == [2]


async def _is_waiting(harness: Harness, payout: Payout) -> None:
    """Waits until the workflow has seen that its attempt failed."""
    handle = harness.environment.client.get_workflow_handle(ids.payout(payout.id))

    async def timers() -> int:
        events = (await handle.fetch_history()).events
        return sum(one.HasField("timer_started_event_attributes") for one in events)

    async with asyncio.timeout(20):
        while not await timers():  # noqa: ASYNC110  the workflow is elsewhere
            await asyncio.sleep(0.01)


async def test_before_anything_is_due_nothing_begins(environment: WorkflowEnvironment) -> None:
    """The reward is reserved when a creator is selected, and paid when the work is approved."""
    payout = _payout(0, State.RESERVED)
    async with running_harness(environment, "liaison") as harness:
        await _at(environment).retry(payout)
        handle = environment.client.get_workflow_handle(ids.payout(payout.id))
        with pytest.raises(RPCError) as absent:
            await handle.describe()
        assert absent.value.status is RPCStatusCode.NOT_FOUND
        assert harness.sent == []


async def test_a_payout_that_was_written_off_ends_its_workflow(
    environment: WorkflowEnvironment,
) -> None:
    workflows, payout = _at(environment), _payout(1)
    async with running_harness(environment, "liaison") as harness:
        harness.send_answers = [Seen.FAILED]
        await workflows.retry(payout)
        await harness.until(lambda: len(harness.sent) == 1)
        await _is_waiting(harness, payout)
        await workflows.signal(replace(_with_attempts(payout, 2), state=State.WRITTEN_OFF))
        assert await _result_of(environment, payout) is Seen.WRITTEN_OFF
        await workflows.signal(replace(payout, state=State.WRITTEN_OFF))


@pytest.mark.parametrize("is_wanted", [True, False])
async def test_an_unavailable_temporal_fails_signals_but_not_try_signal(*, is_wanted: bool) -> None:
    workflows, payout = _workflows("127.0.0.1:1"), _payout(1)
    await workflows.try_signal(payout)
    with refused(Reason.DEPENDENCY_UNAVAILABLE):
        await (workflows.retry(payout) if is_wanted else workflows.signal(payout))
