"""A million tasks in about a minute: copies by SQL of some that were published over the API, for
other brands, in other states and at other times."""

from datetime import UTC, datetime, timedelta
from random import Random

import psycopg
from liaison.creators.v1 import creators_pb2
from liaison.tasks.v1 import tasks_pb2 as pb
from psycopg import sql

from bench.lives import Lives
from devstack.access import Access
from servicekit.money import Money
from servicekit.timestamps import to_timestamp

_TEMPLATES = 120
_WORDS = (
    "summer winter kitchen garden travel city bike coffee tea bread music light desk lamp shoe"
    " shirt paper phone camera game puzzle child dog cat river mountain forest sea"
).split()

# What differs from copy to copy. One brand in 25 is the caller; four tasks in ten are open.
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
    "has_run": "true",
    "create_time": "now() - number * interval '1 second'",
}
_SOURCE = """
      FROM generate_series({first}, {last}) AS number
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
    """The table of tasks, with as many rows as wanted."""

    def __init__(self, access: Access) -> None:
        self._url = access.service_url("tasks")
        self._count = 0

    async def prepare(self, lives: Lives) -> None:
        """Publishes what is to be copied."""
        dice = Random(7)  # noqa: S311 - no secret: the same tasks each time
        for _ in range(_TEMPLATES):
            await lives.open_task(_template(dice))
        async with await psycopg.AsyncConnection.connect(self._url) as connection:
            await connection.execute(
                "CREATE TABLE bench_template AS"
                " SELECT row_number() OVER () - 1 AS place, task.* FROM task"
            )

    async def fill_up_to(self, count: int) -> None:
        """Indexes are made after the rows: row by row they would take minutes."""
        async with await psycopg.AsyncConnection.connect(self._url) as connection:
            await connection.execute("SET LOCAL maintenance_work_mem = '512MB'")
            indexes = await _indexes(connection)
            for name, _ in indexes:
                await connection.execute(sql.SQL("DROP INDEX {}").format(sql.Identifier(name)))
            await connection.execute(await _copy(connection, self._count + 1, count))
            for _, definition in indexes:
                await connection.execute(definition.encode())
        async with await psycopg.AsyncConnection.connect(self._url, autocommit=True) as connection:
            await connection.execute("VACUUM (ANALYZE) task")
        self._count = count


async def _indexes(connection: psycopg.AsyncConnection) -> list[tuple[str, str]]:
    cursor = await connection.execute(
        """
        SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index
         WHERE indrelid = 'task'::regclass AND NOT indisprimary
        """
    )
    return [(name, definition) for name, definition in await cursor.fetchall()]


async def _copy(connection: psycopg.AsyncConnection, first: int, last: int) -> sql.Composed:
    """All columns but those that follow from others."""
    cursor = await connection.execute(
        """
        SELECT column_name FROM information_schema.columns
         WHERE table_schema = current_schema() AND table_name = 'task'
           AND is_generated = 'NEVER'
        """
    )
    columns = [name for (name,) in await cursor.fetchall()]
    values = [
        sql.SQL(_CHANGED[name])
        if name in _CHANGED
        else sql.SQL("template.{}").format(sql.Identifier(name))
        for name in columns
    ]
    return sql.SQL("INSERT INTO task ({}) SELECT {} {}").format(
        sql.SQL(", ").join(map(sql.Identifier, columns)),
        sql.SQL(", ").join(values),
        sql.SQL(_SOURCE).format(first=sql.Literal(first), last=sql.Literal(last)),
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
