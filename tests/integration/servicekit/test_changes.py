"""Change notification over a real Postgres: subscribers are woken, and missed notifications lose no
change."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import aclosing, suppress

import psycopg
import pytest

from devstack.access import Access
from servicekit.postgres.changes import ChangeListener, notify
from servicekit.postgres.database import Database
from tests.integration.servicekit.harness import CHANNEL, JournalEntry, JournalStore
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
    """Polls so rarely that only notifications wake subscribers."""
    async with ChangeListener(url, CHANNEL, poll_interval_seconds=3600) as changes:
        yield changes


@pytest.fixture
async def journals(database: Database) -> JournalStore:
    journals = JournalStore(database)
    await journals.create()
    return journals


async def _read(
    changes: ChangeListener, journals: JournalStore, journal: str, count: int
) -> list[int]:
    async def read_after(after: int) -> list[JournalEntry]:
        return await journals.read_after(journal, after)

    seen: list[int] = []
    async with asyncio.timeout(30), aclosing(changes.follow(journal, read_after, 0)) as lines:
        async for line in lines:
            seen.append(line.sequence)
            if len(seen) == count:
                break
    return seen


async def _break_connection(access: Access, database: Database) -> int:
    """Terminates the listening connections of this test's database, and returns their number."""
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
    """Returns once LISTEN is in effect and the wake-ups of connecting are over."""
    with changes.subscribe("probe") as probe:
        async with asyncio.timeout(20):
            while not probe._event.is_set():
                await notify(database, CHANNEL, "probe")


async def test_a_commit_wakes_subscribers_and_a_rollback_does_not(
    database: Database, changes: ChangeListener
) -> None:
    await _listens(changes, database)
    with changes.subscribe("a") as kept, changes.subscribe("b") as rolled_back:
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
        # Postgres keeps the order: a notification of "b" would have come before that of "a".
        assert not rolled_back._event.is_set()
    assert changes.subscriber_count("a") == changes.subscriber_count("b") == 0


async def test_a_notification_outside_a_transaction_is_delivered_at_once(
    database: Database, changes: ChangeListener
) -> None:
    await _listens(changes, database)
    with changes.subscribe("a") as subscription:
        await notify(database, CHANNEL, "a")
        async with asyncio.timeout(20):
            await subscription.changed()


async def test_a_notification_between_reading_and_waiting_is_not_lost(
    database: Database, changes: ChangeListener
) -> None:
    await _listens(changes, database)
    with changes.subscribe("a") as early, changes.subscribe("a") as late:
        await notify(database, CHANNEL, "a")
        async with asyncio.timeout(20):
            await early.changed()
            # `late` was notified before it waited.
            await late.changed()


async def test_a_broken_connection_neither_loses_nor_repeats_items(
    access: Access, database: Database, changes: ChangeListener, journals: JournalStore
) -> None:
    reading = asyncio.ensure_future(_read(changes, journals, "a", 120))
    for number in range(120):
        if number % 30 == 10:
            await _listens(changes, database)
            assert await _break_connection(access, database) == 1
        await journals.write("a", "line")
    assert await reading == list(range(1, 121))


async def test_a_change_during_reconnection_is_found_by_reading(
    access: Access, database: Database, changes: ChangeListener, journals: JournalStore
) -> None:
    await _listens(changes, database)
    reading = asyncio.ensure_future(_read(changes, journals, "a", 1))
    await _break_connection(access, database)
    # The only notification of this topic.
    await journals.write("a", "line")
    assert await reading == [1]


async def test_it_starts_while_the_database_is_unreachable() -> None:
    nowhere = "postgresql://nobody@127.0.0.1:1/nothing"
    async with ChangeListener(nowhere, CHANNEL, poll_interval_seconds=0.01) as changes:
        with changes.subscribe("a") as subscription:
            async with asyncio.timeout(20):
                await subscription.changed()


async def test_a_subscriber_polls_without_notifications(
    url: str, journals: JournalStore, database: Database
) -> None:
    async with ChangeListener(url, "another_channel", poll_interval_seconds=0.05) as changes:
        reading = asyncio.ensure_future(_read(changes, journals, "a", 2))
        await journals.write("a", "one")
        await journals.write("a", "two")
        assert await reading == [1, 2]


async def test_a_thousand_watchers_each_get_the_items_of_their_topic(
    changes: ChangeListener, journals: JournalStore
) -> None:
    readings = defaultdict(list)
    for number in range(1000):
        # A hundred topics of five, and one of five hundred.
        journal = f"d{number // 5}" if number < 500 else "popular"
        readings[journal].append(asyncio.ensure_future(_read(changes, journals, journal, 2)))
    await journals.write("popular", "one")
    for journal in readings:
        if journal != "popular":
            await journals.write(journal, "one", "two")
    await journals.write("popular", "two")
    for journal, each in readings.items():
        assert await asyncio.gather(*each) == [[1, 2]] * len(each)
        assert changes.subscriber_count(journal) == 0
