"""Payments whose process dies at a chosen step: at any of its calls of the database or of the
provider, before it or after it, and after any commit.

The death is an exception: what was not committed is lost with it, as with a real process, and a
thousand of them take seconds.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

from servicekit.clock import Clock
from servicekit.postgres.database import Database
from services.payouts.attempts import Attempt
from services.payouts.domain import Payout
from services.payouts.ledger.postings import Transfer
from services.payouts.providers.interface import Batch, MayPost, Order, Provider, Report
from services.payouts.sending.handlers import PaymentHandlers
from services.payouts.store import PostgresPayoutStore
from tests.integration.payouts.harness import Harness


class Death(Exception):
    """The end of a process, which nothing in it sees coming."""


class Life:
    """Lasts so many steps; 0 is for ever."""

    def __init__(self, steps: int) -> None:
        self._left = steps

    def step(self) -> None:
        self._left -= 1
        if self._left == 0:
            raise Death


class MortalStore(PostgresPayoutStore):
    def __init__(self, database: Database, life: Life) -> None:
        super().__init__(database)
        self._life = life

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        async with super().transaction():
            yield
        self._life.step()

    async def get(self, payout_id: str) -> Payout | None:
        self._life.step()
        return await super().get(payout_id)

    async def get_attempt(self, payout_id: str, number: int) -> Attempt | None:
        self._life.step()
        return await super().get_attempt(payout_id, number)

    async def add_attempt(self, payout_id: str, attempt: Attempt) -> None:
        await super().add_attempt(payout_id, attempt)
        self._life.step()

    async def save_attempt(self, payout_id: str, attempt: Attempt, now: datetime) -> None:
        await super().save_attempt(payout_id, attempt, now)
        self._life.step()

    async def post(self, transfer: Transfer) -> int:
        transfer_id = await super().post(transfer)
        self._life.step()
        return transfer_id


class MortalProvider:
    def __init__(self, provider: Provider, life: Life) -> None:
        self._provider = provider
        self._life = life

    async def send(self, order: Order, may_post: MayPost) -> str:
        self._life.step()
        batch_id = await self._provider.send(order, may_post)
        self._life.step()
        return batch_id

    async def batch(self, batch_id: str) -> Batch:
        batch = await self._provider.batch(batch_id)
        self._life.step()
        return batch

    async def cancel(self, item_id: str) -> None:
        self._life.step()
        await self._provider.cancel(item_id)
        self._life.step()

    async def report(self, start: datetime, end: datetime) -> Report:
        return await self._provider.report(start, end)


def mortal(harness: Harness, clock: Clock, steps: int) -> PaymentHandlers:
    """The harness's payments, in a process that lives so many steps."""
    life, known = Life(steps), harness.payments
    return PaymentHandlers(
        MortalStore(harness.database, life),
        {name: MortalProvider(each, life) for name, each in known._providers.items()},
        known._sender._accounts,
        clock,
    )
