"""Waking those who wait for a change, by Postgres' LISTEN and NOTIFY.

What changed stays in tables: a wake-up carries a topic and nothing else, so that a lost one costs a
little time and no data, and a forged one tells nothing. `announce` is for writers, `follow` for
readers.
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
# Of all who follow: a wake-up of thousands must leave connections to those who call.
_READS_AT_ONCE = 4


class Numbered(Protocol):
    @property
    def sequence(self) -> int: ...


N = TypeVar("N", bound=Numbered)


async def notify(database: Database, channel: str, topic: str) -> None:
    """Wakes the topic's subscribers: when the open transaction commits, if one is open."""
    await database.execute("SELECT pg_notify(%s, %s)", (channel, topic))


class Subscription:
    """Remembers that its topic may have changed since `changed` was last asked."""

    def __init__(self, poll_interval_seconds: float) -> None:
        self._poll_interval_seconds = poll_interval_seconds
        self._told = asyncio.Event()

    def wake(self) -> None:
        self._told.set()

    async def changed(self) -> None:
        """Returns when the topic may have changed; now and then without a reason."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._poll_interval_seconds):
                await self._told.wait()
        self._told.clear()


class ChangeListener:
    """Listens on one channel, over one connection of its own, for all subscribers of a process.

    Where the connection breaks, it makes another and wakes everybody: what was announced meanwhile
    is found by reading. `poll_interval_seconds` is how long a subscriber sleeps at most.
    """

    def __init__(
        self, database_url: str, channel: str, *, poll_interval_seconds: float = 30.0
    ) -> None:
        self._database_url = database_url
        self._channel = channel
        self._poll_interval_seconds = poll_interval_seconds
        self._subscriptions: dict[str, set[Subscription]] = {}
        self._listener: asyncio.Task[None] | None = None
        self.reads = asyncio.Semaphore(_READS_AT_ONCE)

    async def __aenter__(self) -> Self:
        # Nobody need wait until it listens: the first to be woken is whoever came before.
        self._listener = asyncio.create_task(self._listen())
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._listener is not None:
            self._listener.cancel()
            await asyncio.gather(self._listener, return_exceptions=True)

    @contextmanager
    def subscribe(self, topic: str) -> Iterator[Subscription]:
        """Subscribe, then read, then wait: what changes after the reading wakes the waiting."""
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

    async def _listen(self) -> None:
        failures = 0
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(
                    self._database_url,
                    autocommit=True,
                    connect_timeout=5,
                    # The connection is silent by nature: a server that is gone is noticed.
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
                log.warning("listening_broke", channel=self._channel, error=str(error))
            await asyncio.sleep(_BACKOFF_SECONDS[min(failures, len(_BACKOFF_SECONDS) - 1)])
            failures += 1

    def _wake(self, topic: str) -> None:
        for subscription in self._subscriptions.get(topic, ()):
            subscription.wake()


async def follow(
    changes: ChangeListener,
    topic: str,
    read_after: Callable[[int], Awaitable[Sequence[N]]],
    after: int,
) -> AsyncGenerator[N, None]:
    """Everything of the topic with a sequence number above `after`, in order and for ever.

    `read_after` answers with the next few above a number, in order, or with none. The numbers of a
    topic must become visible in their order: give them under a lock on the topic's row. (Those of a
    Postgres sequence do not: a transaction that took a lower one may commit later.)
    """
    with changes.subscribe(topic) as subscription:
        while True:
            # A stream may last for days: its trace must not grow with every look.
            async with changes.reads:
                with suppress_instrumentation():
                    batch = await read_after(after)
            _heed_cancellation()
            for item in batch:
                yield item
                after = item.sequence
            if not batch:
                await subscription.changed()


def _heed_cancellation() -> None:
    """Python 3.11's `asyncio.wait_for`, which the driver and its pool use, swallows a cancellation
    that comes together with what it waits for: nobody would ever wake us again."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
