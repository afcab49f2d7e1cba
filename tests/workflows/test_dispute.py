"""The dispute workflow on a time-skipping server, with activities that record in memory."""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
import pytest_asyncio
from temporalio import activity
from temporalio.api.enums.v1 import EventType, IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.client import Client, WorkflowHandle, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from servicekit.errors import Reason
from workflows import ids
from workflows.dispute.model import (
    Change,
    Claim,
    Clock,
    Decide,
    Decision,
    Dispute,
    DisputeResult,
    Event,
    Ground,
    Outcome,
    State,
    Withdraw,
)
from workflows.dispute.notices import notices_of
from workflows.dispute.ui_details import describe
from workflows.dispute.workflow import DisputeWorkflow
from workflows.notices import Batch, Notice
from workflows.temporal.search_attributes import BRAND, DEADLINE, STATE
from workflows.worker import RUNNER, running

pytestmark = pytest.mark.asyncio(loop_scope="module")

Handle = WorkflowHandle[DisputeWorkflow, DisputeResult]


class DisputeRecorder:
    """Records what the activities send to the services."""

    def __init__(self) -> None:
        self.changes: list[Change] = []
        self.sent_notices: list[Notice] = []
        self.refusals = 0
        self.sends_at_once = True
        self.may_send = asyncio.Event()
        self._condition = asyncio.Condition()

    @activity.defn
    async def record_dispute(self, change: Change) -> Batch:
        if self.refusals > 0:
            self.refusals -= 1
            raise ApplicationError("down")
        async with self._condition:
            self.changes.append(change)
            self._condition.notify_all()
        if not self.sends_at_once:
            return Batch(notices_of(change))
        self.sent_notices += notices_of(change)
        return Batch()

    @activity.defn
    async def send_dispute_notices(self, batch: Batch) -> None:
        await self.may_send.wait()
        async with self._condition:
            self.sent_notices += batch.notices
            self._condition.notify_all()

    @property
    def events(self) -> list[Event]:
        return [change.event for change in self.changes]

    async def wait_for(self, event: Event) -> Dispute:
        async with asyncio.timeout(20), self._condition:
            await self._condition.wait_for(lambda: event in self.events)
        return self.changes[self.events.index(event)].dispute

    async def until_sent(self, notices: list[Notice]) -> None:
        async with asyncio.timeout(20), self._condition:
            await self._condition.wait_for(lambda: set(notices) <= set(self.sent_notices))


@dataclass
class Harness:
    """A time-skipping server, a worker, and one dispute."""

    environment: WorkflowEnvironment
    recorder: DisputeRecorder
    dispute: Dispute
    handle: Handle

    async def claim(self, mediator: str = "staff/mia") -> Dispute:
        return await self.handle.execute_update(DisputeWorkflow.claim, Claim(mediator))

    async def decide(self, decision: Decision, mediator: str = "staff/mia") -> Dispute:
        return await self.handle.execute_update(DisputeWorkflow.decide, Decide(mediator, decision))

    async def withdraw(self, actor: str = "creators/bea") -> Dispute:
        return await self.handle.execute_update(DisputeWorkflow.withdraw, Withdraw(actor))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def environment() -> AsyncIterator[WorkflowEnvironment]:
    server = Path(sys.executable).with_name("temporal-test-server")
    async with await WorkflowEnvironment.start_time_skipping(
        test_server_existing_path=str(server)
    ) as environment:
        await environment.client.operator_service.add_search_attributes(
            AddSearchAttributesRequest(
                namespace=environment.client.namespace,
                search_attributes={
                    key.name: IndexedValueType.ValueType(key.indexed_value_type)
                    for key in (STATE, BRAND, DEADLINE)
                },
            )
        )
        yield environment


def _worker(environment: WorkflowEnvironment, queue: str, recorder: DisputeRecorder) -> Worker:
    return Worker(
        environment.client,
        task_queue=queue,
        workflows=[DisputeWorkflow],
        activities=[recorder.record_dispute, recorder.send_dispute_notices],
        workflow_runner=RUNNER,
    )


@pytest_asyncio.fixture(loop_scope="module")
async def harness(environment: WorkflowEnvironment) -> AsyncIterator[Harness]:
    recorder = DisputeRecorder()
    queue = f"disputes-{uuid4()}"
    async with running(_worker(environment, queue, recorder), patience_seconds=5):
        dispute = _dispute(await environment.get_current_time())
        handle = await _start(environment.client, dispute, queue)
        try:
            yield Harness(environment, recorder, dispute, handle)
        finally:
            if (await handle.describe()).close_time is None:
                await handle.terminate()


def _dispute(now: datetime) -> Dispute:
    return Dispute(
        id=str(uuid4()),
        assignment_id="a1",
        brand_id="acme",
        creator_id="bea",
        opener="creators/bea",
        ground=Ground.LATE_REWARD,
        statement="Nothing arrived",
        create_time=now,
        resolution_due_time=now + timedelta(days=30),
        answer_due_time=now + timedelta(days=5),
        allowed_outcomes=[Outcome.PAY_IN_FULL, Outcome.PAY_PARTIAL, Outcome.DISMISS],
        reward_currency="USD",
        reward_minor=10_000,
    )


async def _start(client: Client, dispute: Dispute, queue: str) -> Handle:
    return await client.start_workflow(
        DisputeWorkflow.run, dispute, id=ids.dispute(dispute.id), task_queue=queue
    )


def _decision() -> Decision:
    return Decision(Outcome.PAY_PARTIAL, "Half was done", None, 5_000, None, "USD")


async def test_a_dispute_is_claimed_and_decided(harness: Harness) -> None:
    claimed = await harness.claim()
    assert (claimed.state, claimed.mediator, claimed.sequence) == (
        State.UNDER_REVIEW,
        "staff/mia",
        2,
    )
    decided = await harness.decide(_decision())
    result = await harness.handle.result()
    assert decided.state is State.RESOLVED
    assert result.decision == decided.decision
    assert result.decision is not None
    assert result.decision.amount_minor == 5_000
    assert result.decision.decide_time is not None
    assert result.pending == []
    assert harness.recorder.events == [Event.OPENED, Event.CLAIMED, Event.DECIDED]
    assert harness.recorder.changes[-1].dispute == decided


async def test_a_command_that_comes_first_is_recorded_second(
    environment: WorkflowEnvironment,
) -> None:
    recorder, queue = DisputeRecorder(), f"disputes-{uuid4()}"
    dispute = _dispute(await environment.get_current_time())
    handle = await _start(environment.client, dispute, queue)
    update = asyncio.create_task(handle.execute_update(DisputeWorkflow.claim, Claim("staff/mia")))
    async with running(_worker(environment, queue, recorder), patience_seconds=5):
        await update
        await handle.terminate()
    assert [(change.event, change.dispute.sequence) for change in recorder.changes] == [
        (Event.OPENED, 1),
        (Event.CLAIMED, 2),
    ]


async def test_every_change_notifies_those_concerned(harness: Harness) -> None:
    await harness.claim()
    await harness.decide(_decision())
    await harness.handle.result()
    sent = [(notice.recipient, notice.event) for notice in harness.recorder.sent_notices]
    assert sent == [
        ("brands/acme", "DISPUTE_OPENED"),
        ("creators/bea", "DISPUTE_OPENED"),
        ("staff/mediators", "DISPUTE_OPENED"),
        ("brands/acme", "DISPUTE_CLAIMED"),
        ("creators/bea", "DISPUTE_CLAIMED"),
        ("brands/acme", "DISPUTE_DECIDED"),
        ("creators/bea", "DISPUTE_DECIDED"),
        ("staff/mediators", "DISPUTE_DECIDED"),
    ]
    assert len({notice.deduplication_id for notice in harness.recorder.sent_notices}) == len(sent)


async def test_a_withdrawn_dispute_has_no_decision(harness: Harness) -> None:
    withdrawn = await harness.withdraw()
    assert withdrawn.state is State.WITHDRAWN
    assert (await harness.handle.result()).decision is None


async def test_time_reminds_and_never_decides_r52(harness: Harness) -> None:
    start = harness.dispute.create_time
    for days, event in [
        (5, Event.ANSWER_DUE),
        (15, Event.REMINDED),
        (24, Event.REMINDED),
        (30, Event.OVERDUE),
    ]:
        now = await harness.environment.get_current_time()
        await harness.environment.sleep(start + timedelta(days=days, minutes=1) - now)
        dispute = await harness.recorder.wait_for(event)
        assert dispute.state is State.OPEN
    await harness.environment.sleep(timedelta(days=365))
    assert harness.recorder.events == [
        Event.OPENED,
        Event.ANSWER_DUE,
        Event.REMINDED,
        Event.REMINDED,
        Event.OVERDUE,
    ]
    assert [change.dispute.is_overdue for change in harness.recorder.changes][-2:] == [False, True]
    assert {"staff/mediators", "staff/operators"} == {
        notice.recipient
        for notice in harness.recorder.sent_notices
        if notice.event == "DISPUTE_OVERDUE"
    }
    await harness.claim()
    await harness.decide(Decision(Outcome.DISMISS, "Too late to redo"))
    assert (await harness.handle.result()).decision is not None


async def test_a_claim_moves_no_clock(harness: Harness) -> None:
    await harness.claim()
    await harness.environment.sleep(timedelta(days=16))
    reminded = await harness.recorder.wait_for(Event.REMINDED)
    assert reminded.state is State.UNDER_REVIEW


async def test_a_refusal_is_typed_and_leaves_no_trace(harness: Harness) -> None:
    await _refused(harness.decide(_decision()), Reason.ILLEGAL_STATE)
    await _refused(harness.withdraw("brands/acme"), Reason.NOT_YOURS)
    history = await harness.handle.fetch_history()
    accepted = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED
    assert not [event for event in history.events if event.event_type == accepted]
    assert (await harness.recorder.wait_for(Event.OPENED)).sequence == 1
    assert harness.recorder.events == [Event.OPENED]


async def test_what_a_claimed_dispute_refuses(harness: Harness) -> None:
    await harness.claim()
    await _refused(harness.claim(), Reason.ILLEGAL_STATE)
    await _refused(harness.decide(_decision(), "staff/max"), Reason.NOT_YOURS)
    redo = Decision(Outcome.REDO, "Again")
    await _refused(harness.decide(redo), Reason.OUTCOME_NOT_ALLOWED)
    too_much = Decision(Outcome.PAY_PARTIAL, "All of it", None, 10_000, None, "USD")
    await _refused(harness.decide(too_much), Reason.INVALID_FIELDS)
    assert (await harness.decide(_decision())).state is State.RESOLVED


async def test_a_repeated_command_gets_its_first_answer(harness: Harness) -> None:
    first = await harness.handle.execute_update(
        DisputeWorkflow.claim, Claim("staff/mia"), id="claim:1"
    )
    again = await harness.handle.execute_update(
        DisputeWorkflow.claim, Claim("staff/mia"), id="claim:1"
    )
    assert first == again
    assert harness.recorder.events.count(Event.CLAIMED) == 1


async def test_a_change_is_recorded_after_an_outage(harness: Harness) -> None:
    harness.recorder.refusals = 2
    await harness.claim()
    assert harness.recorder.events == [Event.OPENED, Event.CLAIMED]


async def test_unavailable_notifications_delay_nothing(harness: Harness) -> None:
    harness.recorder.sends_at_once = False
    await harness.claim()
    harness.recorder.may_send.set()
    opened, claimed = harness.recorder.changes
    await harness.recorder.until_sent(notices_of(opened) + notices_of(claimed))


async def test_undelivered_notices_are_handed_on_at_the_end(harness: Harness) -> None:
    harness.recorder.sends_at_once = False
    await harness.claim()
    await harness.decide(_decision())
    result = await harness.handle.result()
    harness.recorder.may_send.set()
    expected = [notice for change in harness.recorder.changes for notice in notices_of(change)]
    assert set(expected) == set(result.pending)


async def test_operators_find_it_and_read_who_must_act(harness: Harness) -> None:
    await harness.claim()
    description = await harness.handle.describe()
    attributes = description.typed_search_attributes
    assert attributes.get(STATE) == State.UNDER_REVIEW
    assert attributes.get(BRAND) == "acme"
    assert attributes.get(DEADLINE) == harness.dispute.resolution_due_time
    assert "staff/mia" in describe(harness.recorder.changes[-1].dispute, [Clock.ANSWER_DUE])


async def _refused(command: Awaitable[Dispute], reason: Reason) -> None:
    with pytest.raises(WorkflowUpdateFailedError) as caught:
        await command
    cause = caught.value.cause
    assert isinstance(cause, ApplicationError)
    assert (cause.type, cause.non_retryable) == (reason, True)
