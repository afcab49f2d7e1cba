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
from services.tasks.applications.store import PostgresApplicationStore
from services.tasks.assignments.handlers import AssignmentHandlers
from services.tasks.assignments.store import PostgresBook
from services.tasks.clients import GrpcCreatorDirectory, GrpcMediaLibrary
from services.tasks.handlers import TaskHandlers
from services.tasks.recording.handlers import RecordHandlers
from services.tasks.recording.store import CHANNEL, PostgresHistories
from services.tasks.servicer import services
from services.tasks.settings import TasksSettings
from services.tasks.store import PostgresTaskStore
from services.tasks.watching import WatchHandlers
from services.tasks.workflows import TemporalRuns
from workflows.temporal.client import Workflows

log = structlog.get_logger()

# How often the work that a crash between Postgres and Temporal left unfinished is searched for.
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
            runs = TemporalRuns(Workflows(settings))
            book = PostgresBook(database)
            store = PostgresTaskStore(database)
            directory = GrpcCreatorDirectory(CreatorServiceStub(creators))
            tasks = TaskHandlers(store, runs, directory, utc_now, settings.tasks_offered_policies)
            applications = ApplicationHandlers(
                store, PostgresApplicationStore(database), directory, runs, utc_now
            )
            library = GrpcMediaLibrary(MediaServiceStub(media), ArticleServiceStub(media))
            assignments = AssignmentHandlers(book, library, runs)
            watching = WatchHandlers(tasks, assignments, PostgresHistories(database), changes)
            for event, repair in (
                ("started_missing_workflows", tasks.start_missing_workflows),
                ("tried_selections_again", applications.finish_selections),
            ):
                sweep = _logging_count(event, repair)
                await stack.enter_async_context(
                    run_periodically(repair.__name__, sweep, interval_seconds=_SWEEP_SECONDS)
                )
            await GrpcServer(
                settings,
                services(tasks, applications, assignments, RecordHandlers(book, utc_now), watching),
                database,
            ).serve_until_stopped()


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
