"""Real workflows on a time-skipping server, with activities that keep everything in memory.

Services are replaced here because months must pass in seconds; the services themselves are tested
in tests/integration and tests/time_skipping.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from temporalio import activity
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment

from servicekit.errors import FailedPrecondition, Reason
from tests.support.workers import workers_for
from tests.workflows.drivers import DAY, AssignmentDriver, TaskDriver
from workflows import ids
from workflows.assignment.inputs import Pending, RecordAssignment, SettleReward, StartAssignment
from workflows.assignment.model import (
    Assignment,
    Event,
    Funding,
    PublishArticles,
    Requirement,
    Terms,
    Transition,
)
from workflows.dispute.model import Change
from workflows.notices import Batch, Notice
from workflows.payout.model import TO_BE_SENT, PayoutStatus, PayoutTerms, RecallPayout, SendPayout
from workflows.payout.model import State as PayoutState
from workflows.policy import STANDARD, Policy
from workflows.task.inputs import LapseApplications, RecordTask, ReserveRewards
from workflows.task.model import PublishedTask
from workflows.task_queues import Domain, queue_of
from workflows.temporal.failures import to_application_error
from workflows.worker import running

_PATIENCE_SECONDS = 20.0


class Harness:
    """The recorded state of all services, and switches that make them fail."""

    def __init__(self, environment: WorkflowEnvironment, prefix: str) -> None:
        self.environment = environment
        # Prefix of the task queues' names.
        self.prefix = prefix
        self.queue = queue_of(Domain.TASKS, prefix)
        self.assignments: dict[str, Assignment] = {}
        self.transitions: dict[str, list[Transition]] = defaultdict(list)
        self.sent_notices: list[Notice] = []
        self.published: list[PublishArticles] = []
        self.tasks: dict[str, list[RecordTask]] = defaultdict(list)
        self.lapsed: list[LapseApplications] = []
        self.reserving: list[ReserveRewards] = []
        self.reserved: list[str] = []
        self.released: dict[str, datetime] = {}
        self.releases: list[str] = []
        self.reservations: list[PayoutTerms] = []
        self.sent: list[tuple[SendPayout, datetime]] = []
        self.refresh_times: list[datetime] = []
        self.recalled: list[tuple[RecallPayout, datetime]] = []
        self.settled: list[SettleReward] = []
        # The last state answered for each payout.
        self.money: dict[str, PayoutState] = {}
        # Status of payouts that an earlier workflow had started.
        self.statuses: dict[str, PayoutStatus] = {}
        self.status_requests: list[str] = []
        self.disputes: list[Change] = []
        # The services' next answers or errors; the last one repeats.
        self.send_answers: list[Any] = [PayoutState.PAID]
        self.refresh_answers: list[Any] = [PayoutState.PAID]
        self.recall_answers: list[Any] = [PayoutState.FAILED]
        # Answers for single payouts, by id.
        self.send_answers_of: dict[str, list[Any]] = {}
        self.refresh_answers_of: dict[str, list[Any]] = {}
        self.funds_minor = 10**9
        self.failures = 0
        self.attempts = 0
        self.notifications_are_down = False
        self.publications_are_down = False
        self.may_reserve = asyncio.Event()
        self.may_reserve.set()
        self.may_record_task = asyncio.Event()
        self.may_record_task.set()
        self.may_refresh = asyncio.Event()
        self.may_refresh.set()
        self.may_lapse = asyncio.Event()
        self.may_lapse.set()

    # The activities

    @activity.defn
    async def record_assignment(self, order: RecordAssignment) -> Pending:
        self._fail_if_configured()
        known = {one.sequence for one in self.transitions[order.assignment.id]}
        self.transitions[order.assignment.id] += [
            one for one in order.transitions if one.sequence not in known
        ]
        self.assignments[order.assignment.id] = order.assignment
        if not self.notifications_are_down:
            self.sent_notices += order.notices
        if order.publication is not None and not self.publications_are_down:
            self.published.append(order.publication)
        return Pending(
            order.notices if self.notifications_are_down else [],
            order.publication if self.publications_are_down else None,
        )

    @activity.defn
    async def release_reward(self, payout_id: str) -> None:
        self.released[payout_id] = await self.now()
        self.releases.append(payout_id)

    @activity.defn
    async def record_task(self, order: RecordTask) -> bool:
        self._fail_if_configured()
        await self.may_record_task.wait()
        self.tasks[order.task_id].append(order)
        return not self.lapsed

    @activity.defn
    async def reserve_rewards(self, order: ReserveRewards) -> None:
        self.reserving.append(order)
        await self.may_reserve.wait()
        if order.amount_minor * len(order.selections) > self.funds_minor:
            raise to_application_error(
                FailedPrecondition(Reason.INSUFFICIENT_FUNDS, "Deposit first"), is_final=True
            )
        self.funds_minor -= order.amount_minor * len(order.selections)
        self.reserved += [one.application_id for one in order.selections]

    @activity.defn
    async def lapse_applications(self, order: LapseApplications) -> None:
        self.lapsed.append(order)
        await self.may_lapse.wait()

    @activity.defn
    async def send_task_notices(self, batch: Batch) -> None:
        self.sent_notices += batch.notices

    @activity.defn
    async def get_payout_status(self, payout_id: str) -> PayoutStatus:
        self.status_requests.append(payout_id)
        if payout_id in self.statuses:
            return self.statuses[payout_id]
        attempts = [order.attempt for order, _ in self.sent if order.payout_id == payout_id]
        state = self.money.get(payout_id, PayoutState.RESERVED)
        return PayoutStatus(state, max(attempts, default=0), 10_000)

    @activity.defn
    async def reserve_reward(self, terms: PayoutTerms) -> None:
        if terms.amount_minor > self.funds_minor:
            self.funds_minor = 10**9  # the brand deposits before the next attempt
            raise to_application_error(
                FailedPrecondition(Reason.INSUFFICIENT_FUNDS, "Deposit first"), is_final=True
            )
        self.reservations.append(terms)

    @activity.defn
    async def send_payout(self, order: SendPayout) -> PayoutState:
        self.sent.append((order, await self.now()))
        return self._answer(
            order.payout_id, self.send_answers_of.get(order.payout_id, self.send_answers)
        )

    @activity.defn
    async def refresh_payout(self, payout_id: str) -> PayoutState:
        self.refresh_times.append(await self.now())
        await self.may_refresh.wait()
        return self._answer(payout_id, self.refresh_answers_of.get(payout_id, self.refresh_answers))

    @activity.defn
    async def recall_payout(self, order: RecallPayout) -> PayoutState:
        self.recalled.append((order, await self.now()))
        if order.payout_id in self.refresh_answers_of:  # it is no longer unclaimed
            self.refresh_answers_of[order.payout_id] = [PayoutState.SENT]
        return self._answer(order.payout_id, self.recall_answers)

    @activity.defn
    async def settle_reward(self, order: SettleReward) -> bool:
        self.settled.append(order)
        return self.money.get(order.payout_id, PayoutState.RESERVED) in TO_BE_SENT

    @activity.defn
    async def record_dispute(self, change: Change) -> Batch:
        self.disputes.append(change)
        return Batch()

    @activity.defn
    async def send_dispute_notices(self, batch: Batch) -> None:
        self.sent_notices += batch.notices

    @property
    def activities(self) -> list[Callable[..., Any]]:
        return [
            self.record_assignment,
            self.release_reward,
            self.settle_reward,
            self.record_task,
            self.reserve_rewards,
            self.lapse_applications,
            self.send_task_notices,
            self.get_payout_status,
            self.reserve_reward,
            self.send_payout,
            self.refresh_payout,
            self.recall_payout,
            self.record_dispute,
            self.send_dispute_notices,
        ]

    def _answer(self, payout_id: str, answers: list[Any]) -> PayoutState:
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        self.money[payout_id] = PayoutState(answer)
        return self.money[payout_id]

    def _fail_if_configured(self) -> None:
        self.attempts += 1
        if self.failures > 0:
            self.failures -= 1
            raise ApplicationError("down")

    # Time

    async def now(self) -> datetime:
        return await self.environment.get_current_time()

    async def pass_time(self, span: timedelta) -> None:
        await self.environment.sleep(span)

    async def until(self, holds: Callable[[], object]) -> None:
        """Waits in real time for a condition; workflow time stands still."""
        end = time.monotonic() + _PATIENCE_SECONDS
        while not holds():
            assert time.monotonic() < end, "it did not happen"
            await asyncio.sleep(0.01)

    # Starting workflows

    async def assignment(
        self,
        policy: Policy = STANDARD,
        *,
        funding: Funding = Funding.ESCROW,
        deadline: timedelta = 10 * DAY,
        content_types: Sequence[str] = (),
    ) -> AssignmentDriver:
        id_, now = uuid4().hex, await self.now()
        handle = await self.environment.client.start_workflow(
            "Assignment",
            StartAssignment(id_, "bea", terms(now + deadline, policy, funding, content_types), now),
            id=ids.assignment(id_),
            task_queue=self.queue,
        )
        assignment = AssignmentDriver(self, id_, now, handle)
        await assignment.saw(Event.CREATOR_SELECTED)
        return assignment

    async def task(self, slots: int = 2, step: timedelta | None = None) -> TaskDriver:
        """`step` is the timeout of a workflow task."""
        id_, now = uuid4().hex, await self.now()
        task = PublishedTask(
            id=id_,
            terms=replace(terms(now + 20 * DAY), task_id=id_),
            creator_slots=slots,
            application_deadline_time=now + 2 * DAY,
            selection_deadline_time=now + 5 * DAY,
        )
        handle = await self.environment.client.start_workflow(
            "Task", task, id=ids.task(id_), task_queue=self.queue, task_timeout=step
        )
        return TaskDriver(self, id_, handle)


def terms(
    deadline: datetime,
    policy: Policy = STANDARD,
    funding: Funding = Funding.ESCROW,
    content_types: Sequence[str] = (),
) -> Terms:
    return Terms(
        task_id="t1",
        brand_id="acme",
        requirements=[Requirement("req-1", "Show it")],
        currency="USD",
        reward_minor=10_000,
        funding=funding,
        submission_deadline_time=deadline,
        policy=policy,
        content_types=list(content_types),
    )


@asynccontextmanager
async def running_harness(
    environment: WorkflowEnvironment, prefix: str | None = None
) -> AsyncIterator[Harness]:
    harness = Harness(environment, prefix or f"tests-{uuid4()}")
    async with running_workers(harness):
        yield harness


@asynccontextmanager
async def running_workers(harness: Harness) -> AsyncIterator[None]:
    """Workers for every queue, for as long as the block lasts."""
    workers = workers_for(harness.environment.client, harness.prefix, harness.activities)
    async with running(*workers, patience_seconds=5):
        yield
