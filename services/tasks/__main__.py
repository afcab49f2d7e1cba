"""The tasks process: wiring only."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import structlog
from liaison.creators.v1.creators_pb2_grpc import CreatorServiceStub
from liaison.media.v1.articles_pb2_grpc import ArticleServiceStub
from liaison.media.v1.media_pb2_grpc import MediaServiceStub
from opentelemetry.instrumentation.utils import suppress_instrumentation

from servicekit.background import in_background
from servicekit.clock import utc_now
from servicekit.errors import LiaisonError
from servicekit.postgres.changes import Changes
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
from workflows.client import Workflows

log = structlog.get_logger()

# How often it is looked for what a crash between Postgres and Temporal left half done.
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
                Changes(settings.database_url.get_secret_value(), CHANNEL)
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
            await stack.enter_async_context(in_background(_sweep(tasks, applications)))
            await GrpcServer(
                settings,
                services(tasks, applications, assignments, RecordHandlers(book, utc_now), watching),
                database,
            ).serve_until_told()


async def _sweep(tasks: TaskHandlers, applications: ApplicationHandlers) -> None:
    """Finishes what a crash left begun, again and again."""
    while True:
        await _mend("started_missing_runs", tasks.start_missing_runs)
        await _mend("tried_selections_again", applications.finish_selections)
        await asyncio.sleep(_SWEEP_SECONDS)


async def _mend(event: str, mend: Callable[[], Awaitable[int]]) -> None:
    try:
        with suppress_instrumentation():  # a trace every few seconds would hide the others
            count = await mend()
        if count:
            log.warning(event, count=count)
    except LiaisonError as error:
        log.warning("sweep_failed", reason=error.reason)
    except Exception:  # a mistake of ours with one of them must not leave all others as they are
        log.exception("sweep_failed")


if __name__ == "__main__":
    run(main())
