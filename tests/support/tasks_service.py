"""The tasks service's use cases on a real database, with substitutes for other services."""

from typing import Any

from servicekit.clock import Clock
from servicekit.postgres.database import Database
from services.tasks.applications.handlers import ApplicationHandlers
from services.tasks.applications.store import ApplicationStore
from services.tasks.assignments.handlers import AssignmentHandlers
from services.tasks.assignments.store import AssignmentStore
from services.tasks.handlers import TaskHandlers
from services.tasks.listing.handlers import ListingHandlers
from services.tasks.listing.store import ListingStore
from services.tasks.recording.handlers import RecordHandlers
from services.tasks.recording.store import RecordStore
from services.tasks.selection.handlers import SelectionHandlers
from services.tasks.selection.store import SelectionStore
from services.tasks.servicer import Handlers
from services.tasks.store import TaskStore
from services.tasks.watching.handlers import WatchHandlers
from services.tasks.watching.store import TransitionStore


def task_handlers(
    database: Database,
    clock: Clock,
    *,
    creators: Any = None,
    media: Any = None,
    workflows: Any = None,
    changes: Any = None,
) -> Handlers:
    """Dependencies that a test leaves out must not be called. `workflows` replaces the workflow
    clients of tasks and of assignments."""
    task_store, application_store = TaskStore(database), ApplicationStore(database)
    tasks = TaskHandlers(task_store, workflows, clock, ["standard"])
    assignments = AssignmentHandlers(AssignmentStore(database), media, workflows)
    return Handlers(
        tasks=tasks,
        listing=ListingHandlers(ListingStore(database), creators, clock),
        applications=ApplicationHandlers(task_store, application_store, creators, clock),
        selection=SelectionHandlers(
            task_store, application_store, SelectionStore(database), creators, workflows, clock
        ),
        assignments=assignments,
        watching=WatchHandlers(tasks, assignments, TransitionStore(database), changes),
        records=RecordHandlers(RecordStore(database)),
    )
