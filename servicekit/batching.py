"""Request batching: items that many callers submit at about the same time are handled by one call.

While one batch runs, the next one collects items: under load a single SQL statement serves many
calls, and without load an item is handled at once. A batch starts after all its items were
submitted, so a result is never older than its request.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context, copy_context
from dataclasses import dataclass
from typing import Generic, TypeVar

from servicekit.errors import LiaisonError

Item = TypeVar("Item")
Result = TypeVar("Result")


# Far below the duration of any call; under load, a batch then holds about twenty items.
_PAUSE_SECONDS = 0.004


@dataclass(frozen=True)
class _Pending(Generic[Item, Result]):
    item: Item
    result: asyncio.Future[Result]
    context: Context


class Batcher(Generic[Item, Result]):
    """`handle_all` returns the results in the order of its items, or fails without any effect.

    While `bypass` returns True, as within a caller's own transaction, an item is handled alone and
    at once.
    """

    def __init__(
        self,
        handle_all: Callable[[list[Item]], Awaitable[Sequence[Result]]],
        *,
        bypass: Callable[[], bool] = lambda: False,
        maximum_size: int = 100,
    ) -> None:
        self._handle_all = handle_all
        self._bypass = bypass
        self._maximum_size = maximum_size
        self._queue: list[_Pending[Item, Result]] = []
        self._running: asyncio.Task[None] | None = None
        self._has_concurrent_callers = False

    async def submit(self, item: Item) -> Result:
        """Returns the item's result.

        Raises:
            LiaisonError: the item's own error, or a retryable one of its batch.
        """
        if self._bypass():
            (alone,) = await self._handle_all([item])
            return alone
        result: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._queue.append(_Pending(item, result, copy_context()))
        if self._running is None:
            self._start_next()
        elif not self._running.done():
            self._has_concurrent_callers = True  # this caller is not in the running batch
        return await result

    def _start_next(self) -> None:
        if not self._queue:
            self._running = None
            return
        # In the context of the first caller, whose trace shows the batch.
        self._running = asyncio.get_running_loop().create_task(
            self._run(), context=self._queue[0].context
        )
        self._running.add_done_callback(self._finished)

    def _finished(self, _: asyncio.Task[None]) -> None:
        if self._has_concurrent_callers:
            # Wait for callers that just got a result and submit again: one batch costs half of two.
            asyncio.get_running_loop().call_later(_PAUSE_SECONDS, self._start_next)
        else:
            self._start_next()  # a single caller, perhaps with its next item

    async def _run(self) -> None:
        batch = [
            pending for pending in self._queue[: self._maximum_size] if not pending.result.done()
        ]
        del self._queue[: self._maximum_size]
        self._has_concurrent_callers = len(batch) > 1
        if not batch:
            return
        try:
            await self._handle(batch)
        finally:
            # Items without a result, for example when the loop is shut down.
            _fail(batch, asyncio.CancelledError())

    async def _handle(self, batch: list[_Pending[Item, Result]]) -> None:
        try:
            results = await self._handle_all([pending.item for pending in batch])
        except Exception as error:
            if len(batch) == 1 or (isinstance(error, LiaisonError) and error.is_retryable):
                _fail(batch, error)
            else:
                await self._handle_one_by_one(batch)
            return
        for pending, result in zip(batch, results, strict=True):
            if not pending.result.done():
                pending.result.set_result(result)

    async def _handle_one_by_one(self, batch: list[_Pending[Item, Result]]) -> None:
        """So that an invalid item fails alone."""
        for pending in batch:
            try:
                (result,) = await self._handle_all([pending.item])
            except Exception as error:
                _fail([pending], error)
            else:
                if not pending.result.done():
                    pending.result.set_result(result)


def _fail(batch: list[_Pending[Item, Result]], error: BaseException) -> None:
    for pending in batch:
        if not pending.result.done():
            pending.result.set_exception(error)
