"""Drivers that send the commands of people to assignment and task workflows."""

import asyncio
import time
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowHandle

from workflows import ids
from workflows.assignment.commands import (
    ApproveWork,
    CommentOnExpiry,
    OpenDispute,
    RequestChanges,
    SubmitWork,
)
from workflows.assignment.model import (
    Assignment,
    Event,
    State,
)
from workflows.dispute.model import Claim, Decide, Decision, Ground, Outcome, Withdraw
from workflows.task.model import SelectApplications, Selection
from workflows.task.model import Transition as TaskTransition

BRAND, CREATOR, MEDIATOR = "brands/acme", "creators/bea", "staff/mia"
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
_PATIENCE_SECONDS = 20.0
# Kinds of events.
_ACCEPTED = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED
_ANSWERED = EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED
_STEP = EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED

if TYPE_CHECKING:
    from tests.workflows.harness import Harness


class AssignmentDriver:
    """One assignment, with the commands that people send to it."""

    def __init__(
        self, harness: "Harness", id_: str, begin: datetime, handle: WorkflowHandle[Any, Any]
    ) -> None:
        self.harness, self.id, self.begin, self.handle = harness, id_, begin, handle

    @property
    def events(self) -> list[Event]:
        return [one.event for one in self.harness.transitions[self.id]]

    @property
    def recorded(self) -> Assignment:
        return self.harness.assignments[self.id]

    def time_of(self, event: Event) -> datetime:
        """When it first happened."""
        return self.harness.transitions[self.id][self.events.index(event)].time

    async def saw(self, event: Event, times: int = 1) -> None:
        await self.harness.until(lambda: self.events.count(event) >= times)

    async def send(self, update: str, command: object, update_id: str | None = None) -> Any:
        return await self.handle.execute_update(update, command, id=update_id)

    async def submit(self, update_id: str | None = None) -> None:
        command = SubmitWork(CREATOR, "Done", ["m1"], [])
        await self.send("submit_work", command, update_id)

    async def deliver(self, *revisions: str) -> None:
        """Articles, sealed as these revisions."""
        ids = [revision.split("/")[1] for revision in revisions]
        await self.send("submit_work", SubmitWork(CREATOR, "Done", [], [], ids, [], [*revisions]))

    async def ask(self, *requirement_ids: str) -> None:
        command = RequestChanges(BRAND, "More", list(requirement_ids) or ["req-1"])
        await self.send("request_changes", command)

    async def approve(self) -> None:
        await self.send("approve_work", ApproveWork(BRAND))

    async def comment(self) -> None:
        await self.send("comment_on_expiry", CommentOnExpiry(CREATOR, "EMERGENCY", "I was ill"))

    async def dispute(self, ground: Ground, opener: str) -> str:
        id_ = uuid4().hex
        await self.send("open_dispute", OpenDispute(id_, ground, "Not right", opener))
        await self.harness.until(lambda: self.harness.disputes)
        return id_

    async def decide(self, dispute_id: str, outcome: Outcome, **values: Any) -> None:
        dispute = self._workflow(ids.dispute(dispute_id))
        await dispute.execute_update("claim", Claim(MEDIATOR))
        decision = Decision(outcome, "Because", **values)
        await dispute.execute_update("decide", Decide(MEDIATOR, decision))
        await self.saw(Event.DISPUTE_RESOLVED)

    async def withdraw(self, dispute_id: str, actor: str) -> None:
        await self._workflow(ids.dispute(dispute_id)).execute_update("withdraw", Withdraw(actor))
        await self.saw(Event.DISPUTE_WITHDRAWN)

    @property
    def payout(self) -> WorkflowHandle[Any, Any]:
        return self._workflow(ids.payout(self.id))

    async def signal_payout(self, signal: str, *args: Any) -> None:
        await self.payout.signal(signal, *args)

    async def ended(self) -> State:
        """Lets time pass until the workflow has ended."""
        result = await self.handle.result()
        return State(result["state"])

    async def update_count(self) -> int:
        """How many updates its history holds."""
        events = (await self.handle.fetch_history()).events
        return sum(one.event_type == _ACCEPTED for one in events)

    def _workflow(self, workflow_id: str) -> WorkflowHandle[Any, Any]:
        return self.harness.environment.client.get_workflow_handle(workflow_id)


class TaskDriver:
    """One task, with the commands that its brand sends to it."""

    def __init__(self, harness: "Harness", id_: str, handle: WorkflowHandle[Any, Any]) -> None:
        self.harness, self.id, self.handle = harness, id_, handle

    async def knows(self, activity: str) -> None:
        """Waits until the workflow has processed the latest result of this activity."""
        end = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < end:
            if await self._steps_after(activity):
                return
            await asyncio.sleep(0.01)
        raise AssertionError(f"nothing came of {activity}")

    async def _steps_after(self, activity: str) -> int:
        events = (await self.handle.fetch_history()).events
        scheduled = [
            one.event_id
            for one in events
            if one.activity_task_scheduled_event_attributes.activity_type.name == activity
        ]
        answered = [
            one.event_id
            for one in events
            if one.event_type == _ANSWERED
            and one.activity_task_completed_event_attributes.scheduled_event_id == scheduled[-1]
        ]
        since = max(answered, default=len(events))
        return sum(one.event_type == _STEP and one.event_id > since for one in events)

    def driver_of(self, application_id: str, begin: datetime) -> AssignmentDriver:
        handle = self.harness.environment.client.get_workflow_handle(ids.assignment(application_id))
        return AssignmentDriver(self.harness, application_id, begin, handle)

    @property
    def states(self) -> list[str]:
        return [str(record.state) for record in self.harness.tasks[self.id]]

    @property
    def transitions(self) -> list[TaskTransition]:
        return [one for record in self.harness.tasks[self.id] for one in record.transitions]

    async def select(self, *application_ids: str, update_id: str | None = None) -> None:
        selections = [Selection(id_, f"creator-of-{id_}") for id_ in application_ids]
        await self.handle.execute_update(
            "select_applications", SelectApplications(BRAND, selections), id=update_id
        )

    async def is_assigned(self, *application_ids: str) -> None:
        await self.harness.until(lambda: set(application_ids) <= self.harness.assignments.keys())
