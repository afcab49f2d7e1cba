"""Batcher: each caller gets its own result, whatever happens to others in the batch."""

import asyncio
from contextvars import ContextVar

import pytest

from servicekit.batching import Batcher
from servicekit.errors import InvalidArgument, Reason, Unavailable

_caller: ContextVar[int] = ContextVar("caller")


class Library:
    """Returns doubled items, and records the batches."""

    def __init__(self) -> None:
        self.asked: list[list[int]] = []
        self.callers: list[int | None] = []
        self.is_asked = asyncio.Event()
        self.is_open = asyncio.Event()
        self.is_open.set()

    async def answer_all(self, questions: list[int]) -> list[int]:
        self.asked.append(questions)
        self.callers.append(_caller.get(None))
        self.is_asked.set()
        await self.is_open.wait()
        if -1 in questions:
            raise Unavailable(Reason.DEPENDENCY_UNAVAILABLE, "away")
        if 0 in questions:
            raise InvalidArgument(Reason.INVALID_FIELDS, "zero")
        return [2 * question for question in questions]


async def test_a_single_caller_is_handled_at_once() -> None:
    library = Library()
    batches = Batcher(library.answer_all)
    assert [await batches.submit(1), await batches.submit(2)] == [2, 4]
    assert library.asked == [[1], [2]]


async def test_concurrent_callers_share_a_batch_and_get_their_own_results() -> None:
    library = Library()
    batches = Batcher(library.answer_all, maximum_size=4)
    answers = await asyncio.gather(*(batches.submit(number) for number in range(1, 11)))
    assert answers == [2 * number for number in range(1, 11)]
    assert library.asked == [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10]]


async def test_an_item_joins_no_running_batch() -> None:
    library = Library()
    batches = Batcher(library.answer_all)
    library.is_open.clear()
    first = asyncio.ensure_future(batches.submit(1))
    await library.is_asked.wait()
    second = asyncio.ensure_future(batches.submit(1))
    library.is_open.set()
    assert await asyncio.gather(first, second) == [2, 2]
    assert library.asked == [[1], [1]]


async def test_a_batch_waits_briefly_for_callers_about_to_submit_again() -> None:
    library = Library()
    batches = Batcher(library.answer_all)
    library.is_open.clear()
    first = asyncio.ensure_future(batches.submit(1))
    await library.is_asked.wait()
    second = asyncio.ensure_future(batches.submit(2))
    await asyncio.sleep(0)
    library.is_open.set()
    await first
    assert await asyncio.gather(second, batches.submit(3)) == [4, 6]
    assert library.asked == [[1], [2, 3]]


async def test_an_invalid_item_fails_alone() -> None:
    batches = Batcher(Library().answer_all)
    answers = await asyncio.gather(*map(batches.submit, (1, 0, 2)), return_exceptions=True)
    assert answers[0] == 2
    assert isinstance(answers[1], InvalidArgument)
    assert answers[2] == 4


async def test_a_retryable_error_fails_the_whole_batch() -> None:
    """Retried one by one, a statement with an unknown outcome might be executed twice."""
    library = Library()
    batches = Batcher(library.answer_all)
    answers = await asyncio.gather(*map(batches.submit, (1, -1, 2)), return_exceptions=True)
    assert all(isinstance(answer, Unavailable) for answer in answers)
    assert library.asked == [[1, -1, 2]]
    assert await batches.submit(3) == 6


async def test_a_cancelled_caller_does_not_affect_others() -> None:
    library = Library()
    batches = Batcher(library.answer_all)
    library.is_open.clear()
    asking = [asyncio.ensure_future(batches.submit(number)) for number in (1, 2)]
    await library.is_asked.wait()
    waiting = asyncio.ensure_future(batches.submit(3))
    await asyncio.sleep(0)
    asking[0].cancel()
    waiting.cancel()
    library.is_open.set()
    assert await asking[1] == 4
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert await batches.submit(4) == 8
    assert library.asked == [[1, 2], [4]]


async def test_a_bypassing_caller_is_handled_alone() -> None:
    library = Library()
    batches = Batcher(library.answer_all, bypass=lambda: _caller.get() == 2)

    async def submit(caller: int) -> int:
        _caller.set(caller)
        return await batches.submit(caller)

    assert await asyncio.gather(*map(submit, (1, 2, 3))) == [2, 4, 6]
    assert sorted(library.asked) == [[1, 3], [2]]


async def test_a_batch_runs_in_the_context_of_its_first_caller() -> None:
    library = Library()
    batches = Batcher(library.answer_all, maximum_size=2)

    async def submit(caller: int) -> int:
        _caller.set(caller)
        return await batches.submit(caller)

    await asyncio.gather(*map(submit, (1, 2, 3)))
    assert library.callers == [1, 3]
