"""A publication over time: on time, late, withdrawn; with scripted services."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from temporalio import activity
from temporalio.client import WorkflowHandle
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import ApplicationError, WorkflowAlreadyStartedError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Replayer, Worker

from tests.support.workers import ALL_WORKFLOWS
from tests.workflows.drivers import HOUR
from workflows import ids
from workflows.notices import Batch, Notice
from workflows.publication import notices
from workflows.publication.model import (
    DeliveryResult,
    PublicationResult,
    PublicationTerms,
    State,
    WithdrawalTerms,
)
from workflows.worker import RUNNER, running

URL = "https://media.example.com/articles/a1/r1.json"
MINUTE = timedelta(minutes=1)


class Harness:
    """Activities with a scripted media service and notifications."""

    def __init__(self, environment: WorkflowEnvironment) -> None:
        self.environment = environment
        self.queue = f"publications-{uuid4()}"
        self.state = State.PENDING
        self.feed_is_down = False
        self.notifications_are_down = False
        self.sent_notices: list[tuple[Notice, datetime]] = []
        self.tries: list[datetime] = []

    @activity.defn
    async def deliver_publication(self, terms: PublicationTerms) -> DeliveryResult:
        self.tries.append(await self.environment.get_current_time())
        if self.state is State.PENDING:
            if self.feed_is_down:
                raise ApplicationError("down")
            self.state = State.PUBLISHED
        if self.state is not State.PUBLISHED:
            return DeliveryResult(self.state)
        return await self._result(notices.published(terms, URL), URL)

    @activity.defn
    async def mark_publication_overdue(self, terms: PublicationTerms) -> DeliveryResult:
        is_late = self.state is State.PENDING
        return await self._result(notices.overdue(terms) if is_late else [])

    @activity.defn
    async def remove_publication(self, terms: WithdrawalTerms) -> DeliveryResult:
        return await self._result(notices.withdrawn(terms))

    @activity.defn
    async def send_publication_notices(self, batch: Batch) -> None:
        if self.notifications_are_down:
            self.notifications_are_down = False
            raise ApplicationError("down")
        await self._send_notices(batch.notices)

    async def _result(self, sent: list[Notice], url: str = "") -> DeliveryResult:
        if self.notifications_are_down:
            return DeliveryResult(self.state, url, sent)
        await self._send_notices(sent)
        return DeliveryResult(self.state, url)

    async def _send_notices(self, sent: list[Notice]) -> None:
        now = await self.environment.get_current_time()
        self.sent_notices += [(notice, now) for notice in sent]

    @property
    def events(self) -> list[tuple[str, str]]:
        return [(notice.event, notice.recipient) for notice, _ in self.sent_notices]

    async def terms(self, **changes: Any) -> PublicationTerms:
        now = await self.environment.get_current_time()
        values = {
            "publication_id": f"{uuid4().hex}-feed",
            "creator_id": "bea",
            "brand_id": "acme",
            "channel": "FEED",
            "due_time": now + 24 * HOUR,
        }
        return PublicationTerms(**values | changes)

    async def start(self, terms: PublicationTerms) -> WorkflowHandle[Any, Any]:
        return await self.environment.client.start_workflow(
            "Publication",
            terms,
            id=ids.publication(terms.publication_id),
            task_queue=self.queue,
            id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            result_type=PublicationResult,
        )


@pytest.fixture
async def harness(environment: WorkflowEnvironment) -> AsyncIterator[Harness]:
    harness = Harness(environment)
    worker = Worker(
        environment.client,
        task_queue=harness.queue,
        workflows=ALL_WORKFLOWS,
        activities=[
            harness.deliver_publication,
            harness.mark_publication_overdue,
            harness.remove_publication,
            harness.send_publication_notices,
        ],
        workflow_runner=RUNNER,
    )
    async with running(worker, patience_seconds=5):
        yield harness


async def test_an_article_is_published_at_once_and_both_sides_are_notified(
    harness: Harness,
) -> None:
    handle = await harness.start(await harness.terms())
    assert await handle.result() == PublicationResult(State.PUBLISHED, was_late=False)
    assert harness.events == [
        ("PUBLICATION_PUBLISHED", "creators/bea"),
        ("PUBLICATION_PUBLISHED", "brands/acme"),
    ]
    assert all(URL in notice.text for notice, _ in harness.sent_notices)
    history = await handle.fetch_history()
    assert len(history.events) <= 14
    await Replayer(workflows=ALL_WORKFLOWS, workflow_runner=RUNNER).replay_workflow(history)


async def test_a_feed_that_is_away_for_25_hours_is_late_once_and_published_all_the_same(
    harness: Harness,
) -> None:
    harness.feed_is_down = True
    begin = await harness.environment.get_current_time()
    handle = await harness.start(await harness.terms())
    await harness.environment.sleep(25 * HOUR)
    assert harness.events == [
        ("PUBLICATION_OVERDUE", "creators/bea"),
        ("PUBLICATION_OVERDUE", "staff/operators"),
    ]
    assert timedelta() <= harness.sent_notices[0][1] - begin - 24 * HOUR < MINUTE
    harness.feed_is_down = False
    assert await handle.result() == PublicationResult(State.PUBLISHED, was_late=True)
    assert harness.events[2:] == [
        ("PUBLICATION_PUBLISHED", "creators/bea"),
        ("PUBLICATION_PUBLISHED", "brands/acme"),
    ]
    assert (
        harness.sent_notices[-1][1] - begin < 25 * HOUR + 2 * MINUTE
    )  # soon after the feed is back
    history = await handle.fetch_history()
    assert len(history.events) <= 30  # not one for every try
    await Replayer(workflows=ALL_WORKFLOWS, workflow_runner=RUNNER).replay_workflow(history)


async def test_what_was_due_before_it_could_begin_is_late_at_once(harness: Harness) -> None:
    harness.feed_is_down = True
    now = await harness.environment.get_current_time()
    handle = await harness.start(await harness.terms(due_time=now - HOUR))
    await harness.environment.sleep(MINUTE)
    assert ("PUBLICATION_OVERDUE", "staff/operators") in harness.events
    harness.feed_is_down = False
    assert await handle.result() == PublicationResult(State.PUBLISHED, was_late=True)


async def test_a_publication_withdrawn_before_delivery_ends(harness: Harness) -> None:
    harness.feed_is_down = True
    handle = await harness.start(await harness.terms())
    await harness.environment.sleep(HOUR)
    harness.state = State.WITHDRAWN
    assert await handle.result() == PublicationResult(State.WITHDRAWN, was_late=False)
    assert harness.events == []


async def test_those_concerned_are_notified_of_a_withdrawal(harness: Harness) -> None:
    harness.state = State.WITHDRAWN
    terms = WithdrawalTerms(
        "a1-feed", "bea", "acme", "FEED", "Not ours to show", was_published=True
    )
    await harness.environment.client.execute_workflow(
        "Withdrawal", terms, id=ids.withdrawal("a1-feed"), task_queue=harness.queue
    )
    assert harness.events == [
        ("PUBLICATION_WITHDRAWN", "creators/bea"),
        ("PUBLICATION_WITHDRAWN", "brands/acme"),
    ]
    assert all("Not ours to show." in notice.text for notice, _ in harness.sent_notices)


async def test_notices_that_could_not_be_sent_are_sent_later(harness: Harness) -> None:
    harness.notifications_are_down = True
    handle = await harness.start(await harness.terms(brand_id=""))
    assert await handle.result() == PublicationResult(State.PUBLISHED, was_late=False)
    assert harness.events == [("PUBLICATION_PUBLISHED", "creators/bea")]


async def test_a_publication_runs_once_however_often_it_is_started(harness: Harness) -> None:
    harness.feed_is_down = True
    terms = await harness.terms()
    first, second = await harness.start(terms), await harness.start(terms)
    assert first.first_execution_run_id == second.first_execution_run_id
    harness.feed_is_down = False
    await first.result()
    with pytest.raises(WorkflowAlreadyStartedError):
        await harness.start(terms)
    assert harness.events.count(("PUBLICATION_PUBLISHED", "creators/bea")) == 1


async def test_operators_read_who_must_act_and_find_what_is_late(harness: Harness) -> None:
    harness.feed_is_down = True
    handle = await harness.start(await harness.terms())
    await harness.environment.sleep(25 * HOUR)
    details = await handle.query("__temporal_workflow_metadata")
    assert "Late: an operator must see what stands in the way" in str(details)
    harness.state = State.WITHDRAWN
    await handle.result()
