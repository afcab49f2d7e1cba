"""`Database.exclusively`: one holder at a time across processes, without an open transaction."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from servicekit.errors import Reason
from servicekit.postgres.database import Database
from tests.support.databases import Databases
from tests.support.serving import refused


@pytest.fixture
async def url(databases: Databases) -> str:
    return await databases.fresh("notifications")


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    async with Database(url) as database:
        yield database


async def test_a_second_holder_is_refused_until_the_first_has_ended(
    database: Database, url: str
) -> None:
    async with Database(url) as other:
        async with database.exclusively("counting"):
            for rival in (database, other):
                with refused(Reason.DEPENDENCY_UNAVAILABLE):
                    async with rival.exclusively("counting"):
                        pass
            async with other.exclusively("another name"):
                pass
            assert not database.is_in_transaction()
        async with other.exclusively("counting"):
            pass


async def test_a_failed_or_cancelled_block_releases_the_lock(database: Database) -> None:
    with pytest.raises(ZeroDivisionError):
        async with database.exclusively("counting"):
            _ = 1 / 0
    begun = asyncio.Event()

    async def wait() -> None:
        async with database.exclusively("counting"):
            begun.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(wait())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with database.exclusively("counting"):
        pass


async def test_a_dead_process_releases_the_lock(database: Database, url: str) -> None:
    """Its connection is terminated by the server."""
    begun = asyncio.Event()

    async def wait() -> None:
        async with Database(url) as other, other.exclusively("counting"):
            begun.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(wait())
    await begun.wait()
    await database.execute(
        """
        SELECT pg_terminate_backend(pid, 5000) FROM pg_locks
         WHERE locktype = 'advisory' AND pid <> pg_backend_pid()
           AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
        """
    )
    async with database.exclusively("counting"):
        pass
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
