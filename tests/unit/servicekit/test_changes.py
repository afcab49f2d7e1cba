"""Following a topic without notifications."""

import asyncio
from contextlib import aclosing
from dataclasses import dataclass

import pytest

from servicekit.postgres.changes import ChangeListener


@dataclass(frozen=True)
class JournalEntry:
    sequence: int


async def test_a_topic_is_read_in_batches_after_a_sequence_number() -> None:
    asked: list[int] = []

    async def read_after(after: int) -> list[JournalEntry]:
        asked.append(after)
        return [JournalEntry(after + 1), JournalEntry(after + 2)]

    changes = ChangeListener("", "channel")
    async with aclosing(changes.follow("topic", read_after, 7)) as lines:
        assert [(await anext(lines)).sequence for _ in range(5)] == [8, 9, 10, 11, 12]
        assert changes.subscriber_count("topic") == 1
    assert asked == [7, 9, 11]
    assert changes.subscriber_count("topic") == 0


async def test_a_read_that_swallows_its_cancellation_still_ends() -> None:
    reads = asyncio.Event()

    async def read_after(_after: int) -> list[JournalEntry]:
        reads.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return []
        raise AssertionError("the event is never set")

    changes = ChangeListener("", "channel")

    async def read() -> None:
        async with aclosing(changes.follow("topic", read_after, 0)) as lines:
            await anext(lines)

    reading = asyncio.ensure_future(read())
    await reads.wait()
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        async with asyncio.timeout(10):
            await reading
    assert changes.subscriber_count("topic") == 0
