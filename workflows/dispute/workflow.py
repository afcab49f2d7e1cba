"""The dispute workflow: takes commands, runs the clocks, records every change.

A command is answered once its change is recorded, so that the caller can read it.
"""

import asyncio
from copy import deepcopy
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from temporalio import workflow
from temporalio.common import RetryPolicy, SearchAttributeUpdate

with workflow.unsafe.imports_passed_through():
    from workflows.dispute import rules
    from workflows.dispute.activity_interface import DisputeActivityInterface
    from workflows.dispute.model import (
        Change,
        Claim,
        Clock,
        Decide,
        Dispute,
        DisputeResult,
        Event,
        Withdraw,
    )
    from workflows.dispute.ui_details import describe
    from workflows.formatting import to_the_second
    from workflows.notices import Batch, Notice
    from workflows.temporal.failures import refusing
    from workflows.temporal.search_attributes import BRAND, DEADLINE, STATE
    from workflows.temporal.tracing import current_trace, in_trace

if TYPE_CHECKING:
    from opentelemetry.context import Context

_ATTEMPT_TIMEOUT = timedelta(seconds=20)
# Retried for ever, without a total timeout: an outage delays a dispute and never fails it.
_RETRY = RetryPolicy(
    initial_interval=timedelta(milliseconds=500), maximum_interval=timedelta(seconds=30)
)
# Waits longer than this become timers, so that an outage does not fill the history with
# heartbeats of the workflow task.
_LOCAL_RETRY_THRESHOLD = timedelta(seconds=4)


@workflow.defn(name="Dispute")
class DisputeWorkflow:
    @workflow.init
    def __init__(self, dispute: Dispute) -> None:
        self._dispute = dispute
        self._fired: list[Clock] = []
        # Added here, since a command can be handled before `run` starts.
        self._unrecorded = [Change(Event.OPENED, deepcopy(dispute))]
        self._recorded_sequence = 0
        self._pending: list[Notice] = []
        self._deliveries: set[asyncio.Task[None]] = set()
        self._traces: dict[int, Context] = {}

    @workflow.run
    async def run(self, dispute: Dispute) -> DisputeResult:
        self._publish()
        self._traces[self._unrecorded[0].dispute.sequence] = current_trace()
        clocks = asyncio.create_task(self._run_clocks())
        while not self._dispute.is_closed or self._unrecorded:
            await workflow.wait_condition(lambda: bool(self._unrecorded))
            with in_trace(self._traces.pop(self._unrecorded[0].dispute.sequence, None)):
                await self._record(self._unrecorded[0])
            del self._unrecorded[0]
        clocks.cancel()
        await workflow.wait_condition(workflow.all_handlers_finished)
        return DisputeResult(self._dispute.decision, self._dispute.mediator, self._pending)

    @workflow.update
    async def claim(self, command: Claim) -> Dispute:
        with refusing():
            rules.claim(self._dispute, command.mediator, workflow.now())
        return await self._recorded(Event.CLAIMED)

    @claim.validator
    def _check_claim(self, command: Claim) -> None:
        with refusing():
            rules.claim(deepcopy(self._dispute), command.mediator, workflow.now())

    @workflow.update
    async def decide(self, command: Decide) -> Dispute:
        with refusing():
            rules.decide(self._dispute, command.mediator, command.decision, workflow.now())
        return await self._recorded(Event.DECIDED)

    @decide.validator
    def _check_decide(self, command: Decide) -> None:
        with refusing():
            trial = deepcopy(self._dispute), command.mediator, deepcopy(command.decision)
            rules.decide(*trial, workflow.now())

    @workflow.update
    async def withdraw(self, command: Withdraw) -> Dispute:
        with refusing():
            rules.withdraw(self._dispute, command.actor, workflow.now())
        return await self._recorded(Event.WITHDRAWN)

    @withdraw.validator
    def _check_withdraw(self, command: Withdraw) -> None:
        with refusing():
            rules.withdraw(deepcopy(self._dispute), command.actor, workflow.now())

    async def _run_clocks(self) -> None:
        """One timer at a time; a command moves none of them."""
        while upcoming := rules.next_clock(self._dispute, self._fired):
            clock, due_time = upcoming
            wait = due_time - workflow.now()
            if wait > timedelta():
                await workflow.sleep(wait, summary=f"{clock} at {to_the_second(due_time)}")
            if not self._dispute.is_closed:
                self._fired.append(clock)
                self._add(rules.fire(self._dispute, clock, workflow.now()))

    def _add(self, event: Event) -> Dispute:
        """Adds a change to those to record, and updates the Temporal UI."""
        snapshot = deepcopy(self._dispute)
        self._unrecorded.append(Change(event, snapshot))
        self._publish()
        return snapshot

    def _publish(self) -> None:
        """Updates details and search attributes; only changed ones, since an upsert costs an
        event."""
        workflow.set_current_details(describe(self._dispute, self._fired))
        current = workflow.info().typed_search_attributes
        wanted: list[SearchAttributeUpdate[Any]] = [
            STATE.value_set(self._dispute.state),
            BRAND.value_set(self._dispute.brand_id),
            DEADLINE.value_set(self._dispute.resolution_due_time),
        ]
        if changed := [update for update in wanted if current.get(update.key) != update.value]:
            workflow.upsert_search_attributes(changed)

    async def _recorded(self, event: Event) -> Dispute:
        snapshot = self._add(event)
        self._traces[snapshot.sequence] = current_trace()
        await workflow.wait_condition(lambda: self._recorded_sequence >= snapshot.sequence)
        return snapshot

    async def _record(self, change: Change) -> None:
        batch = await workflow.execute_local_activity_method(
            DisputeActivityInterface.record_dispute,
            change,
            start_to_close_timeout=_ATTEMPT_TIMEOUT,
            retry_policy=_RETRY,
            local_retry_threshold=_LOCAL_RETRY_THRESHOLD,
            summary=f"{change.event}, change {change.dispute.sequence}",
        )
        self._recorded_sequence = change.dispute.sequence
        if batch.notices:
            delivery = asyncio.create_task(self._deliver_later(batch))
            self._deliveries.add(delivery)
            delivery.add_done_callback(self._deliveries.discard)

    async def _deliver_later(self, batch: Batch) -> None:
        """Sends pending notices in the background; the result hands on what is left at the end."""
        self._pending += batch.notices
        await workflow.execute_activity_method(
            DisputeActivityInterface.send_dispute_notices,
            batch,
            start_to_close_timeout=_ATTEMPT_TIMEOUT,
            retry_policy=_RETRY,
            summary=f"{len(batch.notices)} notices that could not be sent before",
        )
        self._pending = [n for n in self._pending if n not in batch.notices]
