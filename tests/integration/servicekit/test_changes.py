"""Wake-ups over a real Postgres: who waits is woken, and what nobody heard is found by reading."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import aclosing, suppress

import psycopg
import pytest

from devstack.access import Access
from servicekit.postgres.changes import ChangeListener, notify
from servicekit.postgres.database import Database
from tests.integration.servicekit.diary import CHANNEL, Diaries, Line
from tests.support.databases import Databases


@pytest.fixture
async def url(databases: Databases) -> str:
    return await databases.fresh("creators")


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    async with Database(url) as database:
        yield database


@pytest.fixture
async def changes(url: str) -> AsyncIterator[ChangeListener]:
    """Nobody wakes without a reason for the length of any test."""
    async with ChangeListener(url, CHANNEL, poll_interval_seconds=3600) as changes:
        yield changes


@pytest.fixture
async def diaries(database: Database) -> Diaries:
    diaries = Diaries(database)
    await diaries.create()
    return diaries


async def _read(changes: ChangeListener, diaries: Diaries, diary: str, count: int) -> list[int]:
    async def read_after(after: int) -> list[Line]:
        return await diaries.read_after(diary, after)

    seen: list[int] = []
    async with asyncio.timeout(30), aclosing(changes.follow(diary, read_after, 0)) as lines:
        async for line in lines:
            seen.append(line.sequence)
            if len(seen) == count:
                break
    return seen


async def _break_connection(access: Access, database: Database) -> int:
    """Ends the test's own connections that listen; answers with how many those were."""
    row = await database.fetch_one("SELECT current_database() AS name")
    assert row is not None
    async with await psycopg.AsyncConnection.connect(
        access.administrator_url, autocommit=True
    ) as connection:
        cursor = await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = %s AND query LIKE 'LISTEN %%'",
            (row["name"],),
        )
        return len(await cursor.fetchall())


async def _listens(changes: ChangeListener, database: Database) -> None:
    """Returns once announcements are heard, and nobody is woken for another reason."""
    with changes.subscribe("probe") as probe:
        async with asyncio.timeout(20):
            while not probe._told.is_set():
                await notify(database, CHANNEL, "probe")


async def test_what_commits_wakes_and_what_is_rolled_back_does_not(
    database: Database, changes: ChangeListener
) -> None:
    await _listens(changes, database)
    with changes.subscribe("a") as kept, changes.subscribe("b") as undone:
        with suppress(RuntimeError):
            async with database.transaction():
                await notify(database, CHANNEL, "b")
                raise RuntimeError
        waiting = asyncio.ensure_future(kept.changed())
        async with database.transaction():
            await notify(database, CHANNEL, "a")
            await database.fetch_one("SELECT 1")
            assert not waiting.done()
        async with asyncio.timeout(20):
            await waiting
        # Postgres keeps the order: a wake-up of "b" would have come before that of "a".
        assert not undone._told.is_set()
    assert changes.subscriber_count("a") == changes.subscriber_count("b") == 0


async def test_an_announcement_without_a_transaction_is_heard_at_once(
    database: Database, changes: ChangeListener
) -> None:
    await _listens(changes, database)
    with changes.subscribe("a") as subscription:
        await notify(database, CHANNEL, "a")
        async with asyncio.timeout(20):
            await subscription.changed()


async def test_what_is_announced_between_reading_and_waiting_is_not_lost(
    database: Database, changes: ChangeListener
) -> None:
    await _listens(changes, database)
    with changes.subscribe("a") as early, changes.subscribe("a") as late:
        await notify(database, CHANNEL, "a")
        async with asyncio.timeout(20):
            await early.changed()
            # `late` was not waiting when it was woken, and need not have been.
            await late.changed()


async def test_a_broken_connection_loses_and_doubles_nothing(
    access: Access, database: Database, changes: ChangeListener, diaries: Diaries
) -> None:
    reading = asyncio.ensure_future(_read(changes, diaries, "a", 120))
    for number in range(120):
        if number % 30 == 10:
            await _listens(changes, database)
            assert await _break_connection(access, database) == 1
        await diaries.write("a", "line")
    assert await reading == list(range(1, 121))


async def test_what_is_announced_while_nobody_listens_is_found(
    access: Access, database: Database, changes: ChangeListener, diaries: Diaries
) -> None:
    await _listens(changes, database)
    reading = asyncio.ensure_future(_read(changes, diaries, "a", 1))
    await _break_connection(access, database)
    # The only announcement that there will ever be.
    await diaries.write("a", "line")
    assert await reading == [1]


async def test_it_starts_while_the_database_is_away() -> None:
    nowhere = "postgresql://nobody@127.0.0.1:1/nothing"
    async with ChangeListener(nowhere, CHANNEL, poll_interval_seconds=0.01) as changes:
        with changes.subscribe("a") as subscription:
            async with asyncio.timeout(20):
                await subscription.changed()


async def test_a_subscriber_looks_now_and_then_without_being_told(
    url: str, diaries: Diaries, database: Database
) -> None:
    async with ChangeListener(url, "another_channel", poll_interval_seconds=0.05) as changes:
        reading = asyncio.ensure_future(_read(changes, diaries, "a", 2))
        await diaries.write("a", "one")
        await diaries.write("a", "two")
        assert await reading == [1, 2]


async def test_a_thousand_watchers_of_many_topics_are_each_told_their_own(
    changes: ChangeListener, diaries: Diaries
) -> None:
    readings = defaultdict(list)
    for number in range(1000):
        # A hundred topics of five, and one of five hundred.
        diary = f"d{number // 5}" if number < 500 else "popular"
        readings[diary].append(asyncio.ensure_future(_read(changes, diaries, diary, 2)))
    await diaries.write("popular", "one")
    for diary in readings:
        if diary != "popular":
            await diaries.write(diary, "one", "two")
    await diaries.write("popular", "two")
    for diary, each in readings.items():
        assert await asyncio.gather(*each) == [[1, 2]] * len(each)
        assert changes.subscriber_count(diary) == 0
