"""A publication over time: in time, late, withdrawn. What the services say is scripted here."""

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
from tests.workflows.world import HOUR
from workflows import ids
from workflows.notices import Batch, Notice
from workflows.publication import notices
from workflows.publication.model import (
    Arrival,
    PublicationResult,
    PublicationTerms,
    State,
    WithdrawalTerms,
)
from workflows.worker import RUNNER, running

URL = "https://media.example.com/articles/a1/r1.json"
MINUTE = timedelta(minutes=1)


class Press:
    """The media service and notifications, as the activities would find them."""

    def __init__(self, environment: WorkflowEnvironment) -> None:
        self.environment = environment
        self.queue = f"press-{uuid4()}"
        self.state = State.PENDING
        self.feed_is_away = False
        self.notifications_are_away = False
        self.told: list[tuple[Notice, datetime]] = []
        self.tries: list[datetime] = []

    @activity.defn
    async def deliver_publication(self, terms: PublicationTerms) -> Arrival:
        self.tries.append(await self.environment.get_current_time())
        if self.state is State.PENDING:
            if self.feed_is_away:
                raise ApplicationError("away")
            self.state = State.PUBLISHED
        if self.state is not State.PUBLISHED:
            return Arrival(self.state)
        return await self._arrival(notices.published(terms, URL), URL)

    @activity.defn
    async def mark_publication_overdue(self, terms: PublicationTerms) -> Arrival:
        is_late = self.state is State.PENDING
        return await self._arrival(notices.overdue(terms) if is_late else [])

    @activity.defn
    async def take_publication_back(self, terms: WithdrawalTerms) -> Arrival:
        return await self._arrival(notices.withdrawn(terms))

    @activity.defn
    async def send_publication_notices(self, batch: Batch) -> None:
        if self.notifications_are_away:
            self.notifications_are_away = False
            raise ApplicationError("away")
        await self._tell(batch.notices)

    async def _arrival(self, told: list[Notice], url: str = "") -> Arrival:
        if self.notifications_are_away:
            return Arrival(self.state, url, told)
        await self._tell(told)
        return Arrival(self.state, url)

    async def _tell(self, told: list[Notice]) -> None:
        now = await self.environment.get_current_time()
        self.told += [(notice, now) for notice in told]

    @property
    def events(self) -> list[tuple[str, str]]:
        return [(notice.event, notice.recipient) for notice, _ in self.told]

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
async def press(environment: WorkflowEnvironment) -> AsyncIterator[Press]:
    press = Press(environment)
    worker = Worker(
        environment.client,
        task_queue=press.queue,
        workflows=ALL_WORKFLOWS,
        activities=[
            press.deliver_publication,
            press.mark_publication_overdue,
            press.take_publication_back,
            press.send_publication_notices,
        ],
        workflow_runner=RUNNER,
    )
    async with running(worker, patience_seconds=5):
        yield press


async def test_an_article_is_published_at_once_and_its_people_are_told(press: Press) -> None:
    handle = await press.start(await press.terms())
    assert await handle.result() == PublicationResult(State.PUBLISHED, was_late=False)
    assert press.events == [
        ("PUBLICATION_PUBLISHED", "creators/bea"),
        ("PUBLICATION_PUBLISHED", "brands/acme"),
    ]
    assert all(URL in notice.text for notice, _ in press.told)
    history = await handle.fetch_history()
    assert len(history.events) <= 14
    await Replayer(workflows=ALL_WORKFLOWS, workflow_runner=RUNNER).replay_workflow(history)


async def test_a_feed_that_is_away_for_25_hours_is_late_once_and_published_all_the_same(
    press: Press,
) -> None:
    press.feed_is_away = True
    begin = await press.environment.get_current_time()
    handle = await press.start(await press.terms())
    await press.environment.sleep(25 * HOUR)
    assert press.events == [
        ("PUBLICATION_OVERDUE", "creators/bea"),
        ("PUBLICATION_OVERDUE", "staff/operators"),
    ]
    assert timedelta() <= press.told[0][1] - begin - 24 * HOUR < MINUTE
    press.feed_is_away = False
    assert await handle.result() == PublicationResult(State.PUBLISHED, was_late=True)
    assert press.events[2:] == [
        ("PUBLICATION_PUBLISHED", "creators/bea"),
        ("PUBLICATION_PUBLISHED", "brands/acme"),
    ]
    assert press.told[-1][1] - begin < 25 * HOUR + 2 * MINUTE  # soon after the feed is back
    history = await handle.fetch_history()
    assert len(history.events) <= 30  # not one for every try
    await Replayer(workflows=ALL_WORKFLOWS, workflow_runner=RUNNER).replay_workflow(history)


async def test_what_was_due_before_it_could_begin_is_late_at_once(press: Press) -> None:
    press.feed_is_away = True
    now = await press.environment.get_current_time()
    handle = await press.start(await press.terms(due_time=now - HOUR))
    await press.environment.sleep(MINUTE)
    assert ("PUBLICATION_OVERDUE", "staff/operators") in press.events
    press.feed_is_away = False
    assert await handle.result() == PublicationResult(State.PUBLISHED, was_late=True)


async def test_one_that_is_withdrawn_on_its_way_ends_there(press: Press) -> None:
    press.feed_is_away = True
    handle = await press.start(await press.terms())
    await press.environment.sleep(HOUR)
    press.state = State.WITHDRAWN
    assert await handle.result() == PublicationResult(State.WITHDRAWN, was_late=False)
    assert press.events == []


async def test_whom_it_concerns_is_told_of_a_withdrawal(press: Press) -> None:
    press.state = State.WITHDRAWN
    terms = WithdrawalTerms(
        "a1-feed", "bea", "acme", "FEED", "Not ours to show", was_published=True
    )
    await press.environment.client.execute_workflow(
        "Withdrawal", terms, id=ids.withdrawal("a1-feed"), task_queue=press.queue
    )
    assert press.events == [
        ("PUBLICATION_WITHDRAWN", "creators/bea"),
        ("PUBLICATION_WITHDRAWN", "brands/acme"),
    ]
    assert all("Not ours to show." in notice.text for notice, _ in press.told)


async def test_notices_that_could_not_be_sent_are_sent_later(press: Press) -> None:
    press.notifications_are_away = True
    handle = await press.start(await press.terms(brand_id=""))
    assert await handle.result() == PublicationResult(State.PUBLISHED, was_late=False)
    assert press.events == [("PUBLICATION_PUBLISHED", "creators/bea")]


async def test_a_publication_runs_once_however_often_it_is_started(press: Press) -> None:
    press.feed_is_away = True
    terms = await press.terms()
    first, second = await press.start(terms), await press.start(terms)
    assert first.first_execution_run_id == second.first_execution_run_id
    press.feed_is_away = False
    await first.result()
    with pytest.raises(WorkflowAlreadyStartedError):
        await press.start(terms)
    assert press.events.count(("PUBLICATION_PUBLISHED", "creators/bea")) == 1


async def test_operators_read_who_must_act_and_find_what_is_late(press: Press) -> None:
    press.feed_is_away = True
    handle = await press.start(await press.terms())
    await press.environment.sleep(25 * HOUR)
    details = await handle.query("__temporal_workflow_metadata")
    assert "Late: an operator must see what stands in the way" in str(details)
    press.state = State.WITHDRAWN
    await handle.result()
