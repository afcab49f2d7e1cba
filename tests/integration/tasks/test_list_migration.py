"""Tasks of before lists had filters are listed by all of them after the migration."""

from collections.abc import AsyncIterator
from datetime import timedelta
from importlib.resources import files
from typing import Any

import pytest
from liaison.tasks.v1 import tasks_pb2 as pb
from psycopg.types.json import Jsonb
from pydantic import TypeAdapter

from devstack.access import Access
from servicekit.money import Money
from servicekit.postgres.database import Database
from servicekit.postgres.migrator import migrate
from servicekit.timestamps import to_timestamp
from services.tasks.listing import facets_of
from tests.integration.tasks.harness import DAY, Harness, harness_of
from tests.support.databases import Databases
from workflows.policy import STANDARD, Policy

SCRIPTS, FIRST = files("services.tasks") / "migrations", "0001_tasks.sql"
LIVE_STREAM = {"content_types": ["LIVE_STREAM", "VIDEO"]}

# What differs from the usual content.
ROWS: list[dict[str, Any]] = [
    {},
    {"content_types": ["ARTICLE", "LIST", "CREATIVES", "TRANSLATION"]},
    LIVE_STREAM,
    LIVE_STREAM | {"live_stream_channel": "BRAND_ACCOUNT"},
    {"account_classes": ["EXTERNAL"], "minimum_level": "EXPERT"},
    {"account_classes": ["EXTERNAL", "INTERNAL"], "minimum_level": "JUNIOR"},
    {"reward": {"currency": "EUR", "amount_minor": 5}, "minimum_level": "STAR"},
]


def _content(deadline: str, later: str) -> dict[str, Any]:
    return {
        "title": "A review",
        "description": "Of a lamp",
        "content_types": ["VIDEO"],
        "completion_rule": "ALL",
        "requirements": [{"id": "req-1", "text": "Show it"}],
        "reward": {"currency": "USD", "amount_minor": 10_000},
        "funding": "ESCROW",
        "creator_slots": 2,
        "account_classes": [],
        "minimum_level": "NEWCOMER",
        "live_stream_channel": "CREATOR_ACCOUNT",
        "application_deadline_time": deadline,
        "selection_deadline_time": deadline,
        "submission_deadline_time": later,
        "policy_name": "standard",
    }


async def _go_back(database: Database) -> None:
    """To where only the first migration had been applied."""
    await database.execute(
        "DROP TABLE selection, task_transition, transition, assignment, application, task"
    )
    await database.execute("DROP FUNCTION searched")
    await database.execute(
        "DELETE FROM migration WHERE name > %s AND name IN (SELECT unnest(%s::text[]))",
        (FIRST, [script.name for script in SCRIPTS.iterdir()]),
    )
    first = SCRIPTS / FIRST
    await database.execute(first.read_bytes())  # type: ignore[arg-type]  # a script of our own


@pytest.fixture
async def migrated(access: Access, databases: Databases) -> AsyncIterator[Harness]:
    url = await databases.fresh("tasks")
    async with Database(url) as database, harness_of(access, database, url) as harness:
        await _go_back(database)
        deadline = harness.now + 2 * DAY
        for number, changes in enumerate(ROWS):
            content = _content(deadline.isoformat(), (deadline + 9 * DAY).isoformat()) | changes
            await database.execute(
                """
                INSERT INTO task (id, brand_id, state, content, application_deadline_time,
                                  frozen_policy, create_time, update_time, publish_time)
                VALUES (%s, 'acme', 'OPEN', %s, %s, %s, %s, %s, %s)
                """,
                (
                    f"old{number}",
                    Jsonb(content),
                    deadline,
                    Jsonb(TypeAdapter(Policy).dump_python(STANDARD, mode="json")),
                    *[harness.now + timedelta(seconds=number)] * 3,
                ),
            )
        await migrate(database, "services.tasks")
        yield harness


async def test_each_is_listed_by_what_it_asks_for_and_gives(migrated: Harness) -> None:
    rows = await migrated.database.fetch_all("SELECT id, facets, currency, reward_minor FROM task")
    assert len(rows) == len(ROWS)
    for row in rows:
        task = await migrated.store.task(row["id"])
        assert task is not None
        assert sorted(row["facets"]) == sorted(facets_of(task.content))
        assert Money(row["currency"], row["reward_minor"]) == task.content.reward


async def test_old_tasks_are_found(migrated: Harness) -> None:
    async def found(order_by: str = "", **filters: Any) -> list[str]:
        request = pb.ListTasksRequest(filter=pb.TaskFilter(**filters), order_by=order_by)
        response = await migrated.creator().ListTasks(request)
        return [task.name.removeprefix("tasks/old") for task in response.tasks]

    assert await found() == list("6543210")
    assert await found("submission_deadline_time", query="lamp review") == list("0123456")
    assert await found(content_types=[pb.CONTENT_TYPE_TRANSLATION]) == ["1"]
    assert await found("reward desc", currency_code="EUR") == ["6"]
    assert await found(is_takable=True) == list("310")
    closing = to_timestamp(migrated.now + 2 * DAY)
    assert await found(application_deadline_after=closing) == []
