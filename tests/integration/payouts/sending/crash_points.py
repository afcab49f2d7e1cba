"""Payments whose process crashes at a chosen step: before or after any call of the database or the
provider, and after any commit.

The crash is an exception, so uncommitted work is lost as with a real process, and a thousand
crashes take seconds.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

from servicekit.clock import Clock
from servicekit.postgres.database import Database
from services.payouts.attempts import Attempt
from services.payouts.domain import Payout
from services.payouts.kill_switch.store import KillSwitchStore
from services.payouts.ledger.postings import Transfer
from services.payouts.ledger.store import LedgerStore
from services.payouts.operators.store import DecisionStore
from services.payouts.providers.interface import Batch, MayPost, Order, Provider, Report
from services.payouts.sending.handlers import PaymentHandlers
from services.payouts.sending.stores import Stores
from services.payouts.store import PayoutStore
from tests.integration.payouts.harness import Harness


class Crash(Exception):
    """Ends a process; no code of the process handles it."""


class CrashPoint:
    """Crashes at the given step, counted from 1; never if it is 0."""

    def __init__(self, step: int) -> None:
        self._left = step

    def step(self) -> None:
        self._left -= 1
        if self._left == 0:
            raise Crash


class CrashingPayouts(PayoutStore):
    def __init__(self, database: Database, crash: CrashPoint) -> None:
        super().__init__(database)
        self._crash = crash

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        async with super().transaction():
            yield
        self._crash.step()

    async def get(self, payout_id: str) -> Payout | None:
        self._crash.step()
        return await super().get(payout_id)

    async def get_attempt(self, payout_id: str, number: int) -> Attempt | None:
        self._crash.step()
        return await super().get_attempt(payout_id, number)

    async def add_attempt(self, payout_id: str, attempt: Attempt) -> None:
        await super().add_attempt(payout_id, attempt)
        self._crash.step()

    async def save_attempt(self, payout_id: str, attempt: Attempt, now: datetime) -> None:
        await super().save_attempt(payout_id, attempt, now)
        self._crash.step()


class CrashingLedger(LedgerStore):
    def __init__(self, database: Database, crash: CrashPoint) -> None:
        super().__init__(database)
        self._crash = crash

    async def post(self, transfer: Transfer) -> int:
        transfer_id = await super().post(transfer)
        self._crash.step()
        return transfer_id


class CrashingKillSwitch(KillSwitchStore):
    def __init__(self, database: Database, crash: CrashPoint) -> None:
        super().__init__(database)
        self._crash = crash

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        async with super().transaction():
            yield
        self._crash.step()


class CrashingProvider:
    def __init__(self, provider: Provider, crash: CrashPoint) -> None:
        self._provider = provider
        self._crash = crash

    async def send(self, order: Order, may_post: MayPost) -> str:
        self._crash.step()
        batch_id = await self._provider.send(order, may_post)
        self._crash.step()
        return batch_id

    async def batch(self, batch_id: str) -> Batch:
        batch = await self._provider.batch(batch_id)
        self._crash.step()
        return batch

    async def cancel(self, item_id: str) -> None:
        self._crash.step()
        await self._provider.cancel(item_id)
        self._crash.step()

    async def report(self, start: datetime, end: datetime) -> Report:
        return await self._provider.report(start, end)


def crashing_at(harness: Harness, clock: Clock, step: int) -> PaymentHandlers:
    """The harness's payments in a process that crashes at this step; never if it is 0."""
    crash, database = CrashPoint(step), harness.database
    return harness.payments_with(
        stores=Stores(
            CrashingPayouts(database, crash),
            CrashingLedger(database, crash),
            CrashingKillSwitch(database, crash),
            DecisionStore(database),
        ),
        providers={
            name: CrashingProvider(provider, crash) for name, provider in harness.providers.items()
        },
        clock=clock,
    )
