"""The tasks process: wiring only."""

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import structlog
from liaison.creators.v1.creators_pb2_grpc import CreatorServiceStub
from liaison.media.v1.articles_pb2_grpc import ArticleServiceStub
from liaison.media.v1.media_pb2_grpc import MediaServiceStub

from servicekit.background import run_periodically
from servicekit.clock import utc_now
from servicekit.postgres.changes import ChangeListener
from servicekit.postgres.database import Database
from servicekit.postgres.migrator import migrate_on_start
from servicekit.process import run
from servicekit.rpc.client import service_channel
from servicekit.rpc.server import GrpcServer
from servicekit.telemetry import telemetry
from services.tasks.applications.handlers import ApplicationHandlers
from services.tasks.applications.store import ApplicationStore
from services.tasks.assignments.handlers import AssignmentHandlers
from services.tasks.assignments.store import AssignmentStore
from services.tasks.assignments.workflows import AssignmentWorkflowClient
from services.tasks.clients import CreatorClient, MediaClient
from services.tasks.handlers import TaskHandlers
from services.tasks.listing.handlers import ListingHandlers
from services.tasks.listing.store import ListingStore
from services.tasks.recording.handlers import RecordHandlers
from services.tasks.recording.store import CHANNEL, RecordStore
from services.tasks.selection.handlers import SelectionHandlers
from services.tasks.selection.store import SelectionStore
from services.tasks.servicer import Handlers, services
from services.tasks.settings import TasksSettings
from services.tasks.store import TaskStore
from services.tasks.watching.handlers import WatchHandlers
from services.tasks.watching.store import TransitionStore
from services.tasks.workflows import TaskWorkflowClient
from workflows.temporal.client import Workflows

log = structlog.get_logger()

# Interval of the search for work that a crash between Postgres and Temporal left unfinished.
_SWEEP_SECONDS = 10.0


async def main() -> None:
    settings = TasksSettings()  # type: ignore[call-arg]  # the environment fills it
    with telemetry(settings):
        async with AsyncExitStack() as stack:
            database = await stack.enter_async_context(Database.from_settings(settings))
            await migrate_on_start(database, settings, "services.tasks")
            creators = await stack.enter_async_context(
                service_channel(settings, settings.creators_address)
            )
            media = await stack.enter_async_context(
                service_channel(settings, settings.media_address)
            )
            changes = await stack.enter_async_context(
                ChangeListener(settings.database_url.get_secret_value(), CHANNEL)
            )
            handlers = _handlers(
                database,
                changes,
                Workflows(settings),
                CreatorClient(CreatorServiceStub(creators)),
                MediaClient(MediaServiceStub(media), ArticleServiceStub(media)),
                settings.tasks_offered_policies,
            )
            for event, repair in (
                ("started_missing_workflows", handlers.tasks.start_missing_workflows),
                ("resent_stale_selections", handlers.selection.resend_stale_selections),
            ):
                sweep = _logging_count(event, repair)
                await stack.enter_async_context(
                    run_periodically(repair.__name__, sweep, interval_seconds=_SWEEP_SECONDS)
                )
            await GrpcServer(settings, services(handlers), database).serve_until_stopped()


def _handlers(
    database: Database,
    changes: ChangeListener,
    temporal: Workflows,
    creators: CreatorClient,
    media: MediaClient,
    offered_policies: list[str],
) -> Handlers:
    task_store, application_store = TaskStore(database), ApplicationStore(database)
    workflows = TaskWorkflowClient(temporal)
    tasks = TaskHandlers(task_store, workflows, utc_now, offered_policies)
    assignments = AssignmentHandlers(
        AssignmentStore(database), media, AssignmentWorkflowClient(temporal)
    )
    return Handlers(
        tasks=tasks,
        listing=ListingHandlers(ListingStore(database), creators, utc_now),
        applications=ApplicationHandlers(task_store, application_store, creators, utc_now),
        selection=SelectionHandlers(
            task_store, application_store, SelectionStore(database), creators, workflows, utc_now
        ),
        assignments=assignments,
        watching=WatchHandlers(tasks, assignments, TransitionStore(database), changes),
        records=RecordHandlers(RecordStore(database)),
    )


def _logging_count(
    event: str, repair: Callable[[], Awaitable[int]]
) -> Callable[[], Awaitable[None]]:
    """Runs `repair` and logs how many items it repaired, if any."""

    async def sweep() -> None:
        if count := await repair():
            log.warning(event, count=count)

    return sweep


if __name__ == "__main__":
    run(main())
