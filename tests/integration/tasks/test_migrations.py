"""Databases of earlier versions: what they hold is carried over."""

from uuid import UUID, uuid4

from liaison.tasks.v1 import tasks_pb2 as pb

from devstack.access import Access
from servicekit.errors import Reason
from servicekit.postgres.database import Database
from servicekit.postgres.migrator import migrate
from tests.integration.tasks.harness import DAY, Harness, harness_of, id_of
from tests.support.databases import Databases
from tests.support.serving import refused
from workflows.task.state import Selection

_TRANSITIONS, _SELECTIONS = "0003_task_transitions.sql", "0005_selections.sql"


async def _undo(database: Database) -> None:
    """As it was before tasks had histories, and when an application had one claim at most."""
    await database.execute("DROP TABLE selection, task_transition")
    await database.execute("UPDATE task SET sequence = 0")
    await database.execute("ALTER TABLE application DROP COLUMN claims")
    await database.execute("ALTER TABLE application ADD COLUMN claim uuid")
    await database.execute(
        "DELETE FROM migration WHERE name IN (%s, %s)", (_TRANSITIONS, _SELECTIONS)
    )


async def _history(harness: Harness, task: pb.Task) -> list[tuple[int, str, str]]:
    answer = await harness.brand().ListTaskTransitions(
        pb.ListTaskTransitionsRequest(parent=task.name)
    )
    return [(one.sequence, one.event, one.actor) for one in answer.transitions]


async def test_what_was_published_before_has_a_history_and_what_claims_is_finished(
    access: Access, databases: Databases
) -> None:
    url = await databases.fresh("tasks")
    claim: UUID = uuid4()
    async with Database(url) as database:
        async with harness_of(access, database, url) as harness:
            draft, task = await harness.draft(), await harness.task()
            claimed, free = await harness.apply(task), await harness.apply(task, "cem")
            await _undo(database)
            await database.execute(
                "UPDATE application SET claim = %s WHERE id = %s", (claim, id_of(claimed))
            )
        # Connections know the columns that were.
        async with Database(url) as renewed, harness_of(access, renewed, url) as harness:
            await migrate(renewed, "services.tasks")
            assert await _history(harness, task) == [(1, "PUBLISHED", "brands/acme")]
            assert await _history(harness, draft) == []
            with refused(Reason.ILLEGAL_STATE):
                await harness.withdraw(claimed)
            await harness.withdraw(free, "cem")
            harness.now += DAY
            assert await harness.applications.finish_selections() == 1
            assert await harness.state_of(claimed) == pb.Application.STATE_SELECTED
            selection = [Selection(id_of(claimed), "bea")]
            assert harness.runs.commands == [(id_of(task), "select", selection, str(claim))]
            await harness.publish(draft)
            assert len(await _history(harness, draft)) == 1
