"""Change notification between processes, with Postgres' LISTEN and NOTIFY.

The changes themselves are read from tables. A notification carries only a topic, so a lost one
costs time but no data, and a forged one discloses nothing. Writers call `notify`, readers
`ChangeListener.follow`.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Protocol, Self, TypeVar

import psycopg
import structlog
from opentelemetry.instrumentation.utils import suppress_instrumentation
from psycopg import sql

from servicekit.postgres.database import Database

log = structlog.get_logger()

_BACKOFF_SECONDS = (0.1, 0.3, 1.0, 3.0, 5.0)
# Limit for all followers: a change that wakes thousands must leave connections for other calls.
_MAXIMUM_CONCURRENT_READS = 4


class Sequenced(Protocol):
    @property
    def sequence(self) -> int: ...


N = TypeVar("N", bound=Sequenced)


async def notify(database: Database, channel: str, topic: str) -> None:
    """Wakes the topic's subscribers; within a transaction, when it commits."""
    await database.execute("SELECT pg_notify(%s, %s)", (channel, topic))


class Subscription:
    """Records whether its topic may have changed since the last call of `changed`."""

    def __init__(self, poll_interval_seconds: float) -> None:
        self._poll_interval_seconds = poll_interval_seconds
        self._event = asyncio.Event()

    def wake(self) -> None:
        self._event.set()

    async def changed(self) -> None:
        """Returns when the topic may have changed, at the latest after the poll interval."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._poll_interval_seconds):
                await self._event.wait()
        self._event.clear()


class ChangeListener:
    """Listens on one channel, over a connection of its own, for all subscribers of a process.

    When the connection breaks, it reconnects and wakes all subscribers, which then read what they
    missed. `poll_interval_seconds` is how long a subscriber waits at most before it reads again.
    """

    def __init__(
        self, database_url: str, channel: str, *, poll_interval_seconds: float = 30.0
    ) -> None:
        self._database_url = database_url
        self._channel = channel
        self._poll_interval_seconds = poll_interval_seconds
        self._subscriptions: dict[str, set[Subscription]] = {}
        self._listener: asyncio.Task[None] | None = None
        self._reads = asyncio.Semaphore(_MAXIMUM_CONCURRENT_READS)

    async def __aenter__(self) -> Self:
        # Subscribers need not wait for LISTEN: once it is in effect, all of them are woken.
        self._listener = asyncio.create_task(self._listen())
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._listener is not None:
            self._listener.cancel()
            await asyncio.gather(self._listener, return_exceptions=True)

    @contextmanager
    def subscribe(self, topic: str) -> Iterator[Subscription]:
        """Subscribe first, then read, then wait: a change after the read ends the wait."""
        subscription = Subscription(self._poll_interval_seconds)
        subscriptions = self._subscriptions.setdefault(topic, set())
        subscriptions.add(subscription)
        try:
            yield subscription
        finally:
            subscriptions.discard(subscription)
            if not subscriptions:
                del self._subscriptions[topic]

    def subscriber_count(self, topic: str) -> int:
        return len(self._subscriptions.get(topic, ()))

    async def follow(
        self,
        topic: str,
        read_after: Callable[[int], Awaitable[Sequence[N]]],
        after: int,
    ) -> AsyncGenerator[N, None]:
        """Yields the topic's items with a sequence number above `after`, in order and without end.

        `read_after` returns the next items above a number, in order, or none. The numbers of a
        topic must become visible in order: assign them under a lock on the topic's row. (A Postgres
        sequence does not guarantee that: a transaction that took a lower number may commit later.)
        """
        with self.subscribe(topic) as subscription:
            while True:
                # A stream may last for days: its trace must not grow with every read.
                async with self._reads:
                    with suppress_instrumentation():
                        batch = await read_after(after)
                _raise_if_cancelled()
                for item in batch:
                    yield item
                    after = item.sequence
                if not batch:
                    await subscription.changed()

    async def _listen(self) -> None:
        failures = 0
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(
                    self._database_url,
                    autocommit=True,
                    connect_timeout=5,
                    # The connection is mostly idle; keepalives detect a dead server.
                    keepalives_idle=30,
                    keepalives_interval=10,
                    keepalives_count=3,
                ) as connection:
                    await connection.execute(
                        sql.SQL("LISTEN {}").format(sql.Identifier(self._channel))
                    )
                    failures = 0
                    for topic in self._subscriptions:
                        self._wake(topic)
                    async for notification in connection.notifies():
                        self._wake(notification.payload)
            except (psycopg.Error, OSError) as error:
                log.warning("listen_connection_lost", channel=self._channel, error=str(error))
            await asyncio.sleep(_BACKOFF_SECONDS[min(failures, len(_BACKOFF_SECONDS) - 1)])
            failures += 1

    def _wake(self, topic: str) -> None:
        for subscription in self._subscriptions.get(topic, ()):
            subscription.wake()


def _raise_if_cancelled() -> None:
    """Python 3.11's `asyncio.wait_for`, which the driver and its pool use, swallows a cancellation
    that arrives together with the result it waits for; the task would then wait for ever."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
