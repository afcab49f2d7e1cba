"""Random histories of two payouts: sent, refreshed, released and repeated, by processes that crash
at any step, at a provider that fails in every way the sandbox has. After each history the ledger
sums to zero, nothing was paid twice or lost, and no attempt is unknown.

`MONEY_EXAMPLES=1000 pytest tests/integration/payouts/sending` runs more histories, with another
seed each time.
"""

import asyncio
import contextlib
import itertools
import os
import sqlite3
import sys
from collections.abc import Coroutine, Iterator
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)
from liaison.payouts.v1 import payouts_pb2 as pb

from devstack.access import Access
from devstack.paypal_sandbox.lifecycle import Behaviour
from servicekit.errors import LiaisonError, Reason
from servicekit.postgres.database import Database
from services.payouts.attempts import LEASE, MAXIMUM_DOUBT
from services.payouts.sending.handlers import RecallPayout, RefreshPayout
from services.payouts.sending.sender import SendPayout
from tests.integration.payouts.harness import (
    Harness,
    eventually,
    usd,
    utc_now,
)
from tests.integration.payouts.sending.crash_points import Crash, crashing_at
from tests.integration.payouts.serving import fresh_database, harness_of
from tests.integration.payouts.webhook_signing import Signer, certified
from tests.support.databases import Databases

T = TypeVar("T")
_EXAMPLES = int(os.environ.get("MONEY_EXAMPLES", "0"))
NOW = timedelta()
DEPOSIT, AMOUNT = 100_000, 10_000
# Each history has its own brand, and each payout its own creator.
PAYOUTS = st.sampled_from([1, 2])
BEHAVIOURS = st.sampled_from(Behaviour)
# The step of a call at which its process crashes; 0 is none.
STEPS = st.one_of(st.just(0), st.integers(1, 16))
_KNOWN = {
    Reason.DEPENDENCY_UNAVAILABLE,
    Reason.OUTCOME_UNKNOWN,
    Reason.ILLEGAL_STATE,
    Reason.INVALID_FIELDS,
    Reason.PAYOUT_NOT_CLAIMED,
}
# Money that the provider has, or may still give, to a creator.
_UNDECIDED = (pb.Payout.STATE_SENT, pb.Payout.STATE_UNCLAIMED, pb.Payout.STATE_BLOCKED)
_PAYING = ("PENDING", "ONHOLD", "SUCCESS", "UNCLAIMED", "BLOCKED")


class Environment:
    """One harness for all histories, and the event loop that it runs in."""

    def __init__(
        self, runner: asyncio.Runner, harness: Harness, signer: tuple[Signer, str]
    ) -> None:
        self._runner = runner
        self.harness = harness
        self.signer, self.certificate_url = signer
        self.histories = itertools.count(1)

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(work)

    def query(self, sql: str, prefix: str) -> list[tuple[Any, ...]]:
        """Rows of the sandbox's database about batches whose sender_batch_id has this prefix."""
        path = self.harness.sandbox_data / "sandbox.sqlite3"
        with contextlib.closing(sqlite3.connect(path)) as database:
            return database.execute(sql, (f"{prefix}%",)).fetchall()


@pytest.fixture
def environment(access: Access, databases: Databases, tmp_path: Path) -> Iterator[Environment]:
    async def open_(exits: AsyncExitStack) -> tuple[Harness, tuple[Signer, str]]:
        database = Database(await fresh_database(databases))
        creators = Database(await databases.fresh("creators"))
        for each in (database, creators):
            await exits.enter_async_context(each)
        harness = await exits.enter_async_context(
            harness_of(access, database, creators, tmp_path, sends_webhooks=False)
        )
        return harness, await exits.enter_async_context(certified(harness, Signer()))

    with asyncio.Runner() as runner:
        exits = AsyncExitStack()
        try:
            yield Environment(runner, *runner.run(open_(exits)))
        finally:
            runner.run(exits.aclose())


class PayoutHistories(RuleBasedStateMachine):
    def __init__(self, environment: Environment) -> None:
        super().__init__()
        self.environment, self.harness = environment, environment.harness
        self.later = timedelta()

    @initialize(behaviours=st.tuples(BEHAVIOURS, BEHAVIOURS))
    def begin(self, behaviours: tuple[Behaviour, Behaviour]) -> None:
        self.history = f"m{next(self.environment.histories)}"
        self.environment.do(self._begin(behaviours))

    async def _begin(self, behaviours: tuple[Behaviour, Behaviour]) -> None:
        await self.harness.deposit(DEPOSIT, self.history)
        for number, behaviour in enumerate(behaviours, 1):
            await self.harness.creator(self.payout(number), self.receiver(number))
            await self.reserve(number)
            await self.harness.behave(self.receiver(number), behaviour, 0.05)

    # Names and time

    def payout(self, number: int) -> str:
        return f"{self.history}-{number}"

    def receiver(self, number: int) -> str:
        return f"{self.history}-{number}@example.com"

    def clock(self) -> datetime:
        return utc_now() + self.later

    async def state(self, number: int) -> pb.Payout:
        return await self.harness.get(self.payout(number))

    def attempt(self, work: Coroutine[Any, Any, object]) -> None:
        """Runs a call that may crash or be refused."""
        self.environment.do(_attempted(work))

    # Calls to the service

    async def reserve(self, number: int) -> None:
        name = self.payout(number)
        await self.harness.reserve(name, minor=AMOUNT, brand=self.history, creator=name)

    @rule(number=PAYOUTS)
    def reserve_again(self, number: int) -> None:
        self.environment.do(self.reserve(number))

    @rule(number=PAYOUTS, is_next=st.booleans(), steps=STEPS, span=st.sampled_from([NOW, LEASE]))
    def send(self, number: int, *, is_next: bool, steps: int, span: timedelta) -> None:
        self.later += span
        self.attempt(self._send(number, steps, is_next=is_next))

    @rule(number=PAYOUTS, steps=st.lists(STEPS, min_size=2, max_size=4))
    def send_concurrently(self, number: int, steps: list[int]) -> None:
        async def send_all() -> None:
            await asyncio.gather(
                *(_attempted(self._send(number, one, is_next=True)) for one in steps)
            )

        self.environment.do(send_all())

    async def _send(self, number: int, steps: int, *, is_next: bool) -> None:
        payout = await self.state(number)
        goes_on = payout.state not in (pb.Payout.STATE_RESERVED, pb.Payout.STATE_FAILED)
        attempt = len(payout.attempts) + (is_next and not goes_on)
        command = {"name": payout.name, "attempt": max(1, attempt)}
        await crashing_at(self.harness, self.clock, steps).send_payout(
            SendPayout.model_validate(command)
        )

    @rule(number=PAYOUTS, steps=STEPS)
    def refresh(self, number: int, steps: int) -> None:
        self.attempt(self._refresh(number, steps))

    async def _refresh(self, number: int, steps: int) -> None:
        command = RefreshPayout.model_validate({"name": f"payouts/{self.payout(number)}"})
        await crashing_at(self.harness, self.clock, steps).refresh_payout(command)

    @rule(number=PAYOUTS, steps=STEPS)
    def recall(self, number: int, steps: int) -> None:
        self.attempt(self._recall(number, steps))

    async def _recall(self, number: int, steps: int) -> None:
        command = {"name": f"payouts/{self.payout(number)}", "attempt": 1}
        await crashing_at(self.harness, self.clock, steps).recall_payout(
            RecallPayout.model_validate(command)
        )

    @rule(number=PAYOUTS)
    def name_account(self, number: int) -> None:
        """The creator sets its account again, as it must after an unclaimed payment."""
        self.environment.do(self.harness.name_account(self.payout(number), self.receiver(number)))

    @rule(number=PAYOUTS)
    def release(self, number: int) -> None:
        request = pb.ReleaseRewardRequest(name=f"payouts/{self.payout(number)}")
        self.attempt(_of(self.harness.worker.ReleaseReward(request)))

    @rule(number=PAYOUTS, minor=st.sampled_from([4_000, AMOUNT]))
    def reduce(self, number: int, minor: int) -> None:
        name = f"payouts/{self.payout(number)}"
        request = pb.ReduceRewardRequest(name=name, amount=usd(minor))
        self.attempt(_of(self.harness.worker.ReduceReward(request)))

    # The provider, its webhooks, and time

    @rule(
        number=PAYOUTS,
        behaviour=BEHAVIOURS,
        delay=st.sampled_from([0.0, 0.05]),
    )
    def behave(self, number: int, behaviour: Behaviour, delay: float) -> None:
        self.environment.do(self.harness.behave(self.receiver(number), behaviour, delay))

    @rule()
    def settle_provider(self) -> None:
        """Waits until the sandbox has no pending change."""
        self.environment.do(self._settle_provider())

    async def _settle_provider(self) -> None:
        async def is_at_rest() -> bool:
            waiting = """
                SELECT 1 FROM change JOIN batch USING (batch_id) WHERE sender_batch_id LIKE ?
            """
            return not self.environment.query(waiting, f"po-{self.history}-")

        await eventually(is_at_rest)

    # The number of webhooks depends on timing, so what is drawn must not depend on it.
    @rule(chosen=st.lists(st.integers(0, 30), min_size=1, max_size=4))
    def deliver_webhooks(self, chosen: list[int]) -> None:
        """Delivers some of the webhooks so far, in any order, any number of times."""
        sent = """
            SELECT body FROM event JOIN batch USING (batch_id)
             WHERE sender_batch_id LIKE ? ORDER BY event.rowid
        """
        events = [row[0].encode() for row in self.environment.query(sent, f"po-{self.history}-")]
        if events:
            self.environment.do(self._deliver([events[one % len(events)] for one in chosen]))

    async def _deliver(self, bodies: list[bytes]) -> None:
        async with httpx.AsyncClient(trust_env=False) as http:
            for body in bodies:
                headers = self.environment.signer.headers(body, self.environment.certificate_url)
                answer = await http.post(self.harness.webhook_url, content=body, headers=headers)
                assert answer.status_code == 200

    @rule()
    def wait(self) -> None:
        self.later += MAXIMUM_DOUBT

    # The end

    def teardown(self) -> None:
        if hasattr(self, "history") and sys.exc_info()[0] is None:
            self.environment.do(self._end())

    async def _end(self) -> None:
        """Sends what is unknown or has failed and refreshes it, as a workflow does in time."""
        await self.harness.balances()
        for number in (1, 2):
            await self.harness.behave(self.receiver(number), Behaviour.SUCCESS)
        to_be_sent = (pb.Payout.STATE_SENDING, pb.Payout.STATE_FAILED)
        for _ in range(3):
            self.later += LEASE
            for number in (1, 2):
                if (await self.state(number)).state in to_be_sent:
                    await _attempted(self._send(number, 0, is_next=True))
            await self._settle_provider()
            for number in (1, 2):
                await self._refresh(number, 0)
        payouts = [await self.state(number) for number in (1, 2)]
        for payout in payouts:
            self._check_payout(payout)
        await self._check_funds(payouts)

    def _check_payout(self, payout: pb.Payout) -> None:
        unfinished = {pb.Attempt.STATE_SENDING, pb.Attempt.STATE_UNKNOWN}
        assert not unfinished & {attempt.state for attempt in payout.attempts}, payout
        items = self._items(payout)
        paying = [state for state in items if state in _PAYING]
        assert len(paying) <= 1, "the provider was made to pay twice"
        if payout.state == pb.Payout.STATE_PAID:
            assert paying == ["SUCCESS"], "it was not paid"
        elif paying:
            stopped = payout.attempts[-1].state == pb.Attempt.STATE_BLOCKED
            assert stopped or paying != ["SUCCESS"], "a payment was lost"
            assert payout.state in _UNDECIDED
        if "REVERSED" in items:
            assert items[-1] == "REVERSED", "what had come back was paid again"

    def _items(self, payout: pb.Payout) -> list[str]:
        """The state of each of the payout's payments that the provider took, oldest first."""
        taken = """
            SELECT item.status FROM item JOIN batch USING (batch_id)
             WHERE sender_batch_id LIKE ? ORDER BY batch.created_at, batch.rowid
        """
        payout_id = payout.name.removeprefix("payouts/")
        return [row[0] for row in self.environment.query(taken, f"po-{payout_id}-")]

    async def _check_funds(self, payouts: list[pb.Payout]) -> None:
        """The brand has its deposit less payments and fees; what is undecided is reserved."""
        await self.harness.balances()
        available, reserved = await self.harness.funds(self.history)
        paid = [one for one in payouts if one.state == pb.Payout.STATE_PAID]
        paid_minor = sum(_minor(one.amount) for one in paid)
        fees_minor = sum(_minor(one.fee) for one in payouts)
        assert available + reserved == DEPOSIT - paid_minor - fees_minor
        over = (pb.Payout.STATE_PAID, pb.Payout.STATE_RELEASED)
        assert (reserved > 0) == any(one.state not in over for one in payouts)


async def _attempted(work: Coroutine[Any, Any, object]) -> None:
    try:
        await work
    except Crash:
        return
    except LiaisonError as error:
        if error.reason not in _KNOWN:
            raise


async def _of(call: Any) -> None:
    await call


def _minor(amount: Any) -> int:
    return int(amount.units * 100 + amount.nanos // 10_000_000)


def test_money_is_never_paid_twice_lost_or_left_unknown(environment: Environment) -> None:
    run_state_machine_as_test(  # type: ignore[no-untyped-call]  # hypothesis has no types for it
        lambda: PayoutHistories(environment),
        settings=settings(
            max_examples=_EXAMPLES or 30,
            stateful_step_count=20,
            derandomize=not _EXAMPLES,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
