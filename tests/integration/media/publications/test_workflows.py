"""Publications with the real workflows: delivery, withdrawal and notifications."""

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
from services.media.publications.workflows import PublicationWorkflowStarter
from services.notifications.handlers import NotificationHandlers
from services.notifications.servicer import service as notifications_service
from services.notifications.store import NotificationStore
from tests.integration.media.conftest import Harness as MediaHarness
from tests.integration.media.publications.harness import Harness, publications_harness
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

_TIMEOUT_SECONDS = 20.0
PUBLISHED = pb.Publication.STATE_PUBLISHED


@pytest.fixture(scope="module")
def temporal_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    home = tmp_path_factory.mktemp("temporal")
    with servers(home, ("temporal",)):
        access = attach(Home(home))
        assert access is not None
        yield access.addresses["temporal"]


@dataclass
class Environment:
    publications: Harness
    notifications: Served
    temporal: Client
    starter: PublicationWorkflowStarter

    async def events(self, channel: Any) -> list[str]:
        """The events of the recipient's notifications, oldest first."""
        page = await NotificationServiceStub(channel).ListNotifications(
            notifications_pb2.ListNotificationsRequest()
        )
        return [notification.event for notification in reversed(page.notifications)]

    async def becomes(
        self, publication: pb.Publication, state: pb.Publication.State.ValueType
    ) -> pb.Publication:
        async def is_so() -> bool:
            return (await self.publications.get(publication.name)).state == state

        await eventually(is_so)
        return await self.publications.get(publication.name)


@pytest.fixture
async def environment(
    access: Access,
    databases: Databases,
    database: Database,
    harness: MediaHarness,
    temporal_address: str,
) -> AsyncIterator[Environment]:
    settings = TemporalSettings.model_validate({"TEMPORAL_ADDRESS": temporal_address})
    client = await Client.connect(temporal_address)
    starter = PublicationWorkflowStarter(Workflows(settings))
    async with (
        Database(await databases.fresh("notifications"), pool_size=2) as notices,
        publications_harness(access, database, harness, starter.start) as publications,
        serving(
            access,
            [notifications_service(NotificationHandlers(NotificationStore(notices), utc_now))],
            notices,
        ) as notifications,
    ):
        activities = PublicationActivities(
            PublicationServiceStub(publications.served.as_service()),
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
            yield Environment(publications, notifications, client, starter)


async def eventually(holds: Callable[[], Awaitable[object]]) -> None:
    end = time.monotonic() + _TIMEOUT_SECONDS
    while not await holds():
        assert time.monotonic() < end, "the condition was not met in time"
        await asyncio.sleep(0.02)


@pytest.mark.rule("R98", "R99")
async def test_approved_work_is_published_and_withdrawn_and_parties_are_notified(
    environment: Environment,
) -> None:
    publications = environment.publications
    published = await environment.becomes(await publications.approved(), PUBLISHED)
    assert await publications.status(published.url) == 200
    id_ = published.name.removeprefix("publications/")
    handle = environment.temporal.get_workflow_handle(ids.publication(id_))
    await handle.result()
    shown = (await handle.describe()).typed_search_attributes
    assert (shown.get(STATE), shown.get(BRAND)) == ("PUBLISHED", "acme")

    await publications.withdraw(published)
    assert await publications.status(published.url) in (403, 404)
    await environment.temporal.get_workflow_handle(ids.withdrawal(id_)).result()
    for channel in (
        environment.notifications.as_creator("anna"),
        environment.notifications.as_brand("acme"),
    ):
        assert await environment.events(channel) == [
            "PUBLICATION_PUBLISHED",
            "PUBLICATION_WITHDRAWN",
        ]


async def test_a_withdrawal_completes_after_the_feed_was_unavailable(
    environment: Environment,
) -> None:
    publications = environment.publications
    publications.feed.is_unavailable = True
    pending = await publications.posted("bea")
    id_ = pending.name.removeprefix("publications/")
    handle = environment.temporal.get_workflow_handle(ids.publication(id_))

    async def has_tried() -> bool:
        activities = (await handle.describe()).raw_description.pending_activities
        return bool(activities) and activities[0].attempt > 1

    await eventually(has_tried)
    with refused(Reason.DEPENDENCY_UNAVAILABLE):  # the row is withdrawn even so
        await publications.withdraw(pending)
    publications.feed.is_unavailable = False
    await environment.becomes(pending, pb.Publication.STATE_WITHDRAWN)
    await handle.result()
    assert await publications.handlers.start_missing_workflows() == 1
    await environment.temporal.get_workflow_handle(ids.withdrawal(id_)).result()
    events = await environment.events(environment.notifications.as_creator("bea"))
    assert events == ["PUBLICATION_WITHDRAWN"]


async def test_starting_a_workflow_again_has_no_effect(
    environment: Environment,
) -> None:
    publications = environment.publications
    published = await environment.becomes(await publications.posted("bea"), PUBLISHED)
    id_ = published.name.removeprefix("publications/")
    handle = environment.temporal.get_workflow_handle(ids.publication(id_))
    await handle.result()
    first = (await handle.describe()).run_id
    kept = await publications.store.get(id_)
    assert kept is not None
    await environment.starter.start(kept)
    description = await handle.describe()
    assert description.run_id == first
    assert description.status is WorkflowExecutionStatus.COMPLETED
    events = await environment.events(environment.notifications.as_creator("bea"))
    assert events == ["PUBLICATION_PUBLISHED"]
