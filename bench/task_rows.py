"""Makes a million tasks in less than a minute: copies by SQL of tasks published over the API, with
other brands, states and times."""

from datetime import UTC, datetime, timedelta
from random import Random

import psycopg
from liaison.creators.v1 import creators_pb2
from liaison.tasks.v1 import tasks_pb2 as pb
from psycopg import sql

from bench.lifecycles import Lifecycles
from devstack.access import Access
from servicekit.money import Money
from servicekit.timestamps import to_timestamp

_TEMPLATES = 120
_WORDS = (
    "summer winter kitchen garden travel city bike coffee tea bread music light client lamp shoe"
    " shirt paper phone camera game puzzle child dog cat river mountain forest sea"
).split()

# Columns that differ between copies. One in 25 belongs to the caller's brand; four in ten are OPEN.
_CHANGED = {
    "id": "md5(number::text)",
    "brand_id": "CASE number / 120 % 25 WHEN 0 THEN template.brand_id"
    " ELSE 'brand-' || number / 120 % 25 END",
    "state": "chosen.state",
    "content": "template.content || jsonb_build_object("
    "'application_deadline_time', deadline.time,"
    " 'submission_deadline_time', deadline.time + interval '20 days')",
    "application_deadline_time": "deadline.time",
    "submission_deadline_time": "deadline.time + interval '20 days'",
    "has_workflow": "true",
    "create_time": "now() - number * interval '1 second'",
}
_SOURCE = """
      FROM generate_series(1, {count}) AS number
      JOIN bench_template AS template ON template.place = number % 120
     CROSS JOIN LATERAL (
           SELECT ('{{OPEN,OPEN,OPEN,OPEN,SELECTING,IN_PROGRESS,IN_PROGRESS,CLOSED,CLOSED,'
                   'CANCELLED}}'::text[])[1 + (hashint8(number) & 65535) % 10] AS state
           ) AS chosen
     CROSS JOIN LATERAL (
           SELECT now() + CASE chosen.state WHEN 'OPEN' THEN 1 ELSE -1 END
                  * (3600 + (hashint8(number + 1) & 1048575)) * interval '1 second' AS time
           ) AS deadline
"""


class TaskRows:
    """Tables of tasks of several sizes, one of which at a time is the service's `task`."""

    def __init__(self, access: Access) -> None:
        self._url = access.service_url("tasks")
        self._in_use = "task_published"

    async def prepare(self, lifecycles: Lifecycles) -> None:
        """Publishes the tasks to copy."""
        dice = Random(7)  # noqa: S311 - no secret: the same tasks in every run
        for _ in range(_TEMPLATES):
            await lifecycles.open_task(_template(dice))
        async with await psycopg.AsyncConnection.connect(self._url) as connection:
            await connection.execute(
                "CREATE TABLE bench_template AS"
                " SELECT row_number() OVER () - 1 AS place, task.* FROM task"
            )

    async def fill(self, count: int) -> None:
        """Creates a table with `count` rows. Generated columns are copied, and indexes are created
        after the rows: computing both row by row would take minutes."""
        table = _table(count)
        async with await psycopg.AsyncConnection.connect(self._url, autocommit=True) as connection:
            await connection.execute("SET maintenance_work_mem = '512MB'")
            await connection.execute(
                sql.SQL(
                    "CREATE UNLOGGED TABLE {} (LIKE task INCLUDING ALL EXCLUDING GENERATED)"
                ).format(sql.Identifier(table))
            )
            indexes = await _indexes(connection, table)
            for name, _ in indexes:
                await connection.execute(sql.SQL("DROP INDEX {}").format(sql.Identifier(name)))
            await connection.execute(await _copy(connection, table, count))
            for _, definition in indexes:
                await connection.execute(definition.encode())
            await connection.execute(sql.SQL("VACUUM (ANALYZE) {}").format(sql.Identifier(table)))

    async def use(self, count: int) -> None:
        """Renames tables so that the service reads the one with `count` rows."""
        previous, next_ = sql.Identifier(self._in_use), sql.Identifier(_table(count))
        async with await psycopg.AsyncConnection.connect(self._url) as connection:
            await connection.execute(sql.SQL("ALTER TABLE task RENAME TO {}").format(previous))
            await connection.execute(sql.SQL("ALTER TABLE {} RENAME TO task").format(next_))
        self._in_use = _table(count)


def _table(count: int) -> str:
    return f"task_{count}"


async def _indexes(connection: psycopg.AsyncConnection, table: str) -> list[tuple[str, str]]:
    cursor = await connection.execute(
        """
        SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index
         WHERE indrelid = %s::regclass AND NOT indisprimary
        """,
        (table,),
    )
    return [(name, definition) for name, definition in await cursor.fetchall()]


async def _copy(connection: psycopg.AsyncConnection, table: str, count: int) -> sql.Composed:
    cursor = await connection.execute(
        """
        SELECT column_name FROM information_schema.columns
         WHERE table_schema = current_schema() AND table_name = %s
        """,
        (table,),
    )
    columns = [name for (name,) in await cursor.fetchall()]
    values = [
        sql.SQL(_CHANGED[name])
        if name in _CHANGED
        else sql.SQL("template.{}").format(sql.Identifier(name))
        for name in columns
    ]
    return sql.SQL("INSERT INTO {} ({}) SELECT {} {}").format(
        sql.Identifier(table),
        sql.SQL(", ").join(map(sql.Identifier, columns)),
        sql.SQL(", ").join(values),
        sql.SQL(_SOURCE).format(count=sql.Literal(count)),
    )


def _template(dice: Random) -> pb.Task:
    now = datetime.now(UTC)
    types = list(pb.ContentType.values())[1:]
    currency = dice.choice(("USD", "USD", "EUR", "GBP"))
    return pb.Task(
        title=" ".join(dice.sample(_WORDS, 5)),
        description=" ".join(dice.choices(_WORDS, k=15)),
        content_types=dice.sample(types, dice.choice((1, 1, 1, 2))),
        requirements=[pb.Requirement(text="Show it"), pb.Requirement(text="Say it")],
        reward=pb.Reward(money=Money(currency, dice.randrange(10_00, 500_00)).to_message()),
        creator_slots=dice.choice((1, 1, 2, 5)),
        eligibility=pb.Eligibility(
            minimum_level=dice.choice(
                (
                    creators_pb2.CREATOR_LEVEL_UNSPECIFIED,
                    creators_pb2.CREATOR_LEVEL_NEWCOMER,
                    creators_pb2.CREATOR_LEVEL_INTERMEDIATE,
                    creators_pb2.CREATOR_LEVEL_EXPERT,
                )
            )
        ),
        application_deadline_time=to_timestamp(now + timedelta(days=2)),
        submission_deadline_time=to_timestamp(now + timedelta(days=30)),
        policy="policies/standard",
    )
