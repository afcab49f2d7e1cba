"""Gathers what many callers ask at about the same time into one question.

While one batch is under way the next one gathers: under load a single statement serves many calls,
and who is alone waits for nobody. A batch is sent after all that it asks was asked, so an answer is
never older than its question.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context, copy_context
from dataclasses import dataclass
from typing import Generic, TypeVar

from servicekit.errors import LiaisonError

Question = TypeVar("Question")
Answer = TypeVar("Answer")


# Far below what any call takes; under load, a batch then is of twenty or so.
_PAUSE_SECONDS = 0.004


@dataclass(frozen=True)
class _Asked(Generic[Question, Answer]):
    question: Question
    answer: asyncio.Future[Answer]
    context: Context


class Batches(Generic[Question, Answer]):
    """`answer_all` answers in the order of its questions, or fails and has changed nothing.

    Who `goes_alone`, such as a call within a transaction of its own, shares with nobody.
    """

    def __init__(
        self,
        answer_all: Callable[[list[Question]], Awaitable[Sequence[Answer]]],
        *,
        goes_alone: Callable[[], bool] = lambda: False,
        maximum_size: int = 100,
    ) -> None:
        self._answer_all = answer_all
        self._goes_alone = goes_alone
        self._maximum_size = maximum_size
        self._gathering: list[_Asked[Question, Answer]] = []
        self._under_way: asyncio.Task[None] | None = None
        self._is_crowded = False

    async def ask(self, question: Question) -> Answer:
        """
        Raises:
            LiaisonError: of this question, or one that may be tried again and befell the batch.
        """
        if self._goes_alone():
            (alone,) = await self._answer_all([question])
            return alone
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._gathering.append(_Asked(question, answer, copy_context()))
        if self._under_way is None:
            self._send_next()
        elif not self._under_way.done():
            self._is_crowded = True  # this is none of those who will be answered now
        return await answer

    def _send_next(self) -> None:
        if not self._gathering:
            self._under_way = None
            return
        # In the context of who asked first: its trace shows the batch.
        self._under_way = asyncio.get_running_loop().create_task(
            self._send(), context=self._gathering[0].context
        )
        self._under_way.add_done_callback(self._sent)

    def _sent(self, _: asyncio.Task[None]) -> None:
        if self._is_crowded:
            # Others will follow those who gathered meanwhile: two small batches cost twice one.
            asyncio.get_running_loop().call_later(_PAUSE_SECONDS, self._send_next)
        else:
            self._send_next()  # one caller, perhaps asking again

    async def _send(self) -> None:
        batch = [
            asked for asked in self._gathering[: self._maximum_size] if not asked.answer.done()
        ]
        del self._gathering[: self._maximum_size]
        self._is_crowded = len(batch) > 1
        if not batch:
            return
        try:
            await self._answer(batch)
        finally:
            _fail(batch, asyncio.CancelledError())  # whom nobody answered, at the loop's end say

    async def _answer(self, batch: list[_Asked[Question, Answer]]) -> None:
        try:
            answers = await self._answer_all([asked.question for asked in batch])
        except Exception as error:
            if len(batch) == 1 or (isinstance(error, LiaisonError) and error.is_retryable):
                _fail(batch, error)
            else:
                await self._send_one_by_one(batch)
            return
        for asked, answer in zip(batch, answers, strict=True):
            if not asked.answer.done():
                asked.answer.set_result(answer)

    async def _send_one_by_one(self, batch: list[_Asked[Question, Answer]]) -> None:
        """One bad question must not refuse the others."""
        for asked in batch:
            try:
                (answer,) = await self._answer_all([asked.question])
            except Exception as error:
                _fail([asked], error)
            else:
                if not asked.answer.done():
                    asked.answer.set_result(answer)


def _fail(batch: list[_Asked[Question, Answer]], error: BaseException) -> None:
    for asked in batch:
        if not asked.answer.done():
            asked.answer.set_exception(error)
