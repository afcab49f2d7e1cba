"""Publications on real workflows: what was asked for comes about, and who it concerns is told."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from liaison.media.v1 import publications_pb2 as pb
from liaison.media.v1.publications_pb2_grpc import PublicationServiceStub
from liaison.notifications.v1 import notifications_pb2
from liaison.notifications.v1.notifications_pb2_grpc import NotificationServiceStub
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.worker import Worker

from devstack.access import Access, attach
from devstack.home import Home
from servicekit.clock import utc_now
from servicekit.errors import Reason
from servicekit.postgres.database import Database
from servicekit.settings import TemporalSettings
from services.media.publications.workflows import TemporalPublicationRuns
from services.notifications.handlers import NotificationHandlers
from services.notifications.servicer import service as notifications_service
from services.notifications.store import NotificationStore
from tests.integration.media.conftest import Harness
from tests.integration.media.publications.press import Press, press_of
from tests.support.databases import Databases
from tests.support.servers import servers
from tests.support.serving import Served, refused, serving
from workflows import ids
from workflows.publication.activities import PublicationActivities
from workflows.publication.workflow import PublicationWorkflow, WithdrawalWorkflow
from workflows.task_queues import Domain, queue_of
from workflows.temporal.client import Workflows
from workflows.temporal.search_attributes import BRAND, STATE
from workflows.worker import RUNNER, running

_PATIENCE_SECONDS = 20.0
PUBLISHED = pb.Publication.STATE_PUBLISHED


@pytest.fixture(scope="module")
def temporal_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    home = tmp_path_factory.mktemp("temporal")
    with servers(home, ("temporal",)):
        access = attach(Home(home))
        assert access is not None
        yield access.addresses["temporal"]


@dataclass
class Newsroom:
    press: Press
    notifications: Served
    temporal: Client
    runs: TemporalPublicationRuns

    async def told(self, channel: Any) -> list[str]:
        """The events that a recipient was told, oldest first."""
        page = await NotificationServiceStub(channel).ListNotifications(
            notifications_pb2.ListNotificationsRequest()
        )
        return [notification.event for notification in reversed(page.notifications)]

    async def becomes(
        self, publication: pb.Publication, state: pb.Publication.State.ValueType
    ) -> pb.Publication:
        async def is_so() -> bool:
            return (await self.press.get(publication.name)).state == state

        await eventually(is_so)
        return await self.press.get(publication.name)


@pytest.fixture
async def newsroom(
    access: Access,
    databases: Databases,
    database: Database,
    harness: Harness,
    temporal_address: str,
) -> AsyncIterator[Newsroom]:
    settings = TemporalSettings.model_validate({"TEMPORAL_ADDRESS": temporal_address})
    client = await Client.connect(temporal_address)
    runs = TemporalPublicationRuns(Workflows(settings))
    async with (
        Database(await databases.fresh("notifications"), pool_size=2) as notices,
        press_of(access, database, harness, runs) as press,
        serving(
            access,
            [notifications_service(NotificationHandlers(NotificationStore(notices), utc_now))],
            notices,
        ) as notifications,
    ):
        activities = PublicationActivities(
            PublicationServiceStub(press.served.as_service()),
            NotificationServiceStub(notifications.as_service()),
        )
        worker = Worker(
            client,
            task_queue=queue_of(Domain.MEDIA),
            workflows=[PublicationWorkflow, WithdrawalWorkflow],
            activities=[
                activities.deliver_publication,
                activities.mark_publication_overdue,
                activities.remove_publication,
                activities.send_publication_notices,
            ],
            workflow_runner=RUNNER,
        )
        async with running(worker, patience_seconds=5):
            yield Newsroom(press, notifications, client, runs)


async def eventually(holds: Callable[[], Awaitable[object]]) -> None:
    end = time.monotonic() + _PATIENCE_SECONDS
    while not await holds():
        assert time.monotonic() < end, "it did not come about in time"
        await asyncio.sleep(0.02)


@pytest.mark.rule("R98", "R99")
async def test_approved_work_is_published_and_withdrawn_and_all_are_told(
    newsroom: Newsroom,
) -> None:
    press = newsroom.press
    published = await newsroom.becomes(await press.approved(), PUBLISHED)
    assert await press.status(published.url) == 200
    id_ = published.name.removeprefix("publications/")
    handle = newsroom.temporal.get_workflow_handle(ids.publication(id_))
    await handle.result()
    shown = (await handle.describe()).typed_search_attributes
    assert (shown.get(STATE), shown.get(BRAND)) == ("PUBLISHED", "acme")

    await press.withdraw(published)
    assert await press.status(published.url) in (403, 404)
    await newsroom.temporal.get_workflow_handle(ids.withdrawal(id_)).result()
    for channel in (
        newsroom.notifications.as_creator("anna"),
        newsroom.notifications.as_brand("acme"),
    ):
        assert await newsroom.told(channel) == ["PUBLICATION_PUBLISHED", "PUBLICATION_WITHDRAWN"]


async def test_one_that_is_withdrawn_while_the_feed_is_away_ends(newsroom: Newsroom) -> None:
    press = newsroom.press
    press.feed.is_away = True
    pending = await press.posted("bea")
    id_ = pending.name.removeprefix("publications/")
    handle = newsroom.temporal.get_workflow_handle(ids.publication(id_))

    async def has_tried() -> bool:
        activities = (await handle.describe()).raw_description.pending_activities
        return bool(activities) and activities[0].attempt > 1

    await eventually(has_tried)
    with refused(Reason.DEPENDENCY_UNAVAILABLE):  # its row is withdrawn all the same
        await press.withdraw(pending)
    press.feed.is_away = False
    await newsroom.becomes(pending, pb.Publication.STATE_WITHDRAWN)
    await handle.result()
    assert await press.handlers.start_missing_runs() == 1
    await newsroom.temporal.get_workflow_handle(ids.withdrawal(id_)).result()
    told = await newsroom.told(newsroom.notifications.as_creator("bea"))
    assert told == ["PUBLICATION_WITHDRAWN"]


async def test_a_workflow_is_started_once_however_often_it_is_asked_for(
    newsroom: Newsroom,
) -> None:
    press = newsroom.press
    published = await newsroom.becomes(await press.posted("bea"), PUBLISHED)
    id_ = published.name.removeprefix("publications/")
    handle = newsroom.temporal.get_workflow_handle(ids.publication(id_))
    await handle.result()
    first = (await handle.describe()).run_id
    kept = await press.store.get(id_)
    assert kept is not None
    await newsroom.runs.start(kept)
    description = await handle.describe()
    assert description.run_id == first
    assert description.status is WorkflowExecutionStatus.COMPLETED
    told = await newsroom.told(newsroom.notifications.as_creator("bea"))
    assert told == ["PUBLICATION_PUBLISHED"]
