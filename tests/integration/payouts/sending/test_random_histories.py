"""Payouts sent, looked at, told of, released and repeated at random, by processes that die at any
step, to a provider that fails in every way it knows. However it went, in the end the ledger sums to
zero, nothing was paid twice or lost, and no attempt is in doubt.

`MONEY_EXAMPLES=1000 pytest tests/integration/payouts/sending/test_random_histories.py` looks further, at
random.
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
    fresh_database,
    harness_of,
    usd,
    utc_now,
)
from tests.integration.payouts.sending.crash_points import Crash, crashing_at
from tests.integration.payouts.webhook_signing import Signer, certified
from tests.support.databases import Databases

T = TypeVar("T")
_EXAMPLES = int(os.environ.get("MONEY_EXAMPLES", "0"))
NOW = timedelta()
DEPOSIT, AMOUNT = 100_000, 10_000
# Each is paid by a brand to a creator of its own.
PAYOUTS = st.sampled_from([1, 2])
BEHAVIOURS = st.sampled_from(Behaviour)
# At which step of a call its process dies; 0 is none.
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
_ALIVE = ("PENDING", "ONHOLD", "SUCCESS", "UNCLAIMED", "BLOCKED")


class World:
    """One harness for all lives, in an event loop that runs when it is asked for something."""

    def __init__(
        self, runner: asyncio.Runner, harness: Harness, signer: tuple[Signer, str]
    ) -> None:
        self._runner = runner
        self.harness = harness
        self.signer, self.certificate_url = signer
        self.lives = itertools.count(1)

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(work)

    def query(self, sql: str, prefix: str) -> list[tuple[Any, ...]]:
        """Rows of the sandbox about the batches whose own id begins so."""
        path = self.harness.sandbox_data / "sandbox.sqlite3"
        with contextlib.closing(sqlite3.connect(path)) as database:
            return database.execute(sql, (f"{prefix}%",)).fetchall()


@pytest.fixture
def world(access: Access, databases: Databases, tmp_path: Path) -> Iterator[World]:
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
            yield World(runner, *runner.run(open_(exits)))
        finally:
            runner.run(exits.aclose())


class Money(RuleBasedStateMachine):
    def __init__(self, world: World) -> None:
        super().__init__()
        self.world, self.harness = world, world.harness
        self.later = timedelta()

    @initialize(behaviours=st.tuples(BEHAVIOURS, BEHAVIOURS))
    def begin(self, behaviours: tuple[Behaviour, Behaviour]) -> None:
        self.life = f"m{next(self.world.lives)}"
        self.world.do(self._begin(behaviours))

    async def _begin(self, behaviours: tuple[Behaviour, Behaviour]) -> None:
        await self.harness.deposit(DEPOSIT, self.life)
        for number, behaviour in enumerate(behaviours, 1):
            await self.harness.creator(self.payout(number), self.receiver(number))
            await self.reserve_as_first(number)
            await self.harness.behave(self.receiver(number), behaviour, 0.05)

    # Who and when

    def payout(self, number: int) -> str:
        return f"{self.life}-{number}"

    def receiver(self, number: int) -> str:
        return f"{self.life}-{number}@example.com"

    def clock(self) -> datetime:
        return utc_now() + self.later

    async def state(self, number: int) -> pb.Payout:
        return await self.harness.get(self.payout(number))

    def attempt(self, work: Coroutine[Any, Any, object]) -> None:
        """Whatever a call says that dies or is refused, its caller goes on."""
        self.world.do(_attempted(work))

    # What is asked of the service

    async def reserve_as_first(self, number: int) -> None:
        name = self.payout(number)
        await self.harness.reserve(name, minor=AMOUNT, brand=self.life, creator=name)

    @rule(number=PAYOUTS)
    def reserve_again(self, number: int) -> None:
        self.world.do(self.reserve_as_first(number))

    @rule(number=PAYOUTS, is_next=st.booleans(), steps=STEPS, span=st.sampled_from([NOW, LEASE]))
    def send(self, number: int, *, is_next: bool, steps: int, span: timedelta) -> None:
        self.later += span
        self.attempt(self._send(number, steps, is_next=is_next))

    @rule(number=PAYOUTS, steps=st.lists(STEPS, min_size=2, max_size=4))
    def send_at_once(self, number: int, steps: list[int]) -> None:
        async def all_of_them() -> None:
            await asyncio.gather(
                *(_attempted(self._send(number, one, is_next=True)) for one in steps)
            )

        self.world.do(all_of_them())

    async def _send(self, number: int, steps: int, *, is_next: bool) -> None:
        payout = await self.state(number)
        goes_on = payout.state not in (pb.Payout.STATE_RESERVED, pb.Payout.STATE_FAILED)
        attempt = len(payout.attempts) + (is_next and not goes_on)
        command = {"name": payout.name, "attempt": max(1, attempt)}
        await crashing_at(self.harness, self.clock, steps).send_payout(
            SendPayout.model_validate(command)
        )

    @rule(number=PAYOUTS, steps=STEPS)
    def look(self, number: int, steps: int) -> None:
        self.attempt(self._look(number, steps))

    async def _look(self, number: int, steps: int) -> None:
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
        """The creator has looked at its account, where nobody had claimed a payment."""
        self.world.do(self.harness.name_account(self.payout(number), self.receiver(number)))

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
        self.world.do(self.harness.behave(self.receiver(number), behaviour, delay))

    @rule()
    def provider_goes_on(self) -> None:
        """Until nothing is to happen there by itself."""
        self.world.do(self._provider_goes_on())

    async def _provider_goes_on(self) -> None:
        async def is_at_rest() -> bool:
            waiting = """
                SELECT 1 FROM change JOIN batch USING (batch_id) WHERE sender_batch_id LIKE ?
            """
            return not self.world.query(waiting, f"po-{self.life}-")

        await eventually(is_at_rest)

    # How many there are depends on how fast all is: what is drawn must not depend on it.
    @rule(chosen=st.lists(st.integers(0, 30), min_size=1, max_size=4))
    def tell(self, chosen: list[int]) -> None:
        """Some of the webhooks so far arrive, in any order, any number of times."""
        told = """
            SELECT body FROM event JOIN batch USING (batch_id)
             WHERE sender_batch_id LIKE ? ORDER BY event.rowid
        """
        events = [row[0].encode() for row in self.world.query(told, f"po-{self.life}-")]
        if events:
            self.world.do(self._tell([events[one % len(events)] for one in chosen]))

    async def _tell(self, bodies: list[bytes]) -> None:
        async with httpx.AsyncClient(trust_env=False) as http:
            for body in bodies:
                headers = self.world.signer.headers(body, self.world.certificate_url)
                answer = await http.post(self.harness.webhook_url, content=body, headers=headers)
                assert answer.status_code == 200

    @rule()
    def wait(self) -> None:
        self.later += MAXIMUM_DOUBT

    # The end

    def teardown(self) -> None:
        if hasattr(self, "life") and sys.exc_info()[0] is None:
            self.world.do(self._end())

    async def _end(self) -> None:
        """What a workflow does in time: it sends what is in doubt or has failed, and looks."""
        await self.harness.balances()
        for number in (1, 2):
            await self.harness.behave(self.receiver(number), Behaviour.SUCCESS)
        to_be_sent = (pb.Payout.STATE_SENDING, pb.Payout.STATE_FAILED)
        for _ in range(3):
            self.later += LEASE
            for number in (1, 2):
                if (await self.state(number)).state in to_be_sent:
                    await _attempted(self._send(number, 0, is_next=True))
            await self._provider_goes_on()
            for number in (1, 2):
                await self._look(number, 0)
        payouts = [await self.state(number) for number in (1, 2)]
        for payout in payouts:
            self._is_explained(payout)
        await self._adds_up(payouts)

    def _is_explained(self, payout: pb.Payout) -> None:
        doubtful = {pb.Attempt.STATE_SENDING, pb.Attempt.STATE_UNKNOWN}
        assert not doubtful & {attempt.state for attempt in payout.attempts}, payout
        items = self._items(payout)
        alive = [state for state in items if state in _ALIVE]
        assert len(alive) <= 1, "the provider was made to pay twice"
        if payout.state == pb.Payout.STATE_PAID:
            assert alive == ["SUCCESS"], "it was not paid"
        elif alive:
            stopped = payout.attempts[-1].state == pb.Attempt.STATE_BLOCKED
            assert stopped or alive != ["SUCCESS"], "a payment was lost"
            assert payout.state in _UNDECIDED
        if "REVERSED" in items:
            assert items[-1] == "REVERSED", "what had come back was paid again"

    def _items(self, payout: pb.Payout) -> list[str]:
        """The state of each payment that the provider took for it, in their order."""
        taken = """
            SELECT item.status FROM item JOIN batch USING (batch_id)
             WHERE sender_batch_id LIKE ? ORDER BY batch.created_at, batch.rowid
        """
        payout_id = payout.name.removeprefix("payouts/")
        return [row[0] for row in self.world.query(taken, f"po-{payout_id}-")]

    async def _adds_up(self, payouts: list[pb.Payout]) -> None:
        """The brand has what it brought, but for what was paid, what is held, and fees."""
        await self.harness.balances()
        available, reserved = await self.harness.funds(self.life)
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


def test_money_is_never_paid_twice_lost_or_left_in_doubt(world: World) -> None:
    run_state_machine_as_test(  # type: ignore[no-untyped-call]  # hypothesis has no types for it
        lambda: Money(world),
        settings=settings(
            max_examples=_EXAMPLES or 30,
            stateful_step_count=20,
            derandomize=not _EXAMPLES,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
