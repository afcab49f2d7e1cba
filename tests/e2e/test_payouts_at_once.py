"""Many due payouts at once, through a provider that loses answers, denies, holds and reverses.

Each is paid once, or its state explains why not.

Real processes throughout: Postgres, Temporal, the worker, the payouts and creators services and the
sandbox, whose webhooks do arrive. `PAYOUTS_AT_ONCE` says how many; 1,000 take a minute or two.
"""

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from liaison.payouts.v1 import payouts_pb2 as pb
from liaison.payouts.v1.payouts_pb2_grpc import PayoutServiceStub
from temporalio.client import Client

from cli.demo.actors import call_until_answered, new_request_id
from devstack.home import Home
from devstack.paypal_sandbox.lifecycle import Behaviour
from devstack.stack import Stack
from servicekit.money import Money
from servicekit.rpc.client import open_channel
from tests.support.sandbox import payments_of
from workflows import ids
from workflows.payout.model import PayoutTerms
from workflows.payout.workflow import PayoutWorkflow
from workflows.policy import STANDARD
from workflows.task_queues import Domain, queue_of

if TYPE_CHECKING:  # the stub's async face is there for type checkers only
    from liaison.payouts.v1.payouts_pb2_grpc import PayoutServiceAsyncStub

pytestmark = pytest.mark.xdist_group("story")

_COUNT = int(os.environ.get("PAYOUTS_AT_ONCE", "200"))
_PROCESSES = ("worker", "payouts", "creators")
_AT_ONCE = 40
_BATCH = 100
_PATIENCE_SECONDS = 300.0
_REWARD = Money("USD", 10_00)

_State = pb.Payout.State
# The final state for each behaviour of the sandbox, and the provider status or error code of the
# latest attempt that explains it. Half of all payouts succeed at once.
_ENDS: dict[Behaviour, tuple[pb.Payout.State.ValueType, str]] = {
    Behaviour.SUCCESS: (_State.STATE_PAID, "SUCCESS"),
    Behaviour.DROP_RESPONSE: (_State.STATE_PAID, "SUCCESS"),
    Behaviour.ERROR_500_AFTER_ACCEPT: (_State.STATE_PAID, "SUCCESS"),
    # Has no webhook: reconciliation finds it.
    Behaviour.REVERSED_LATE: (_State.STATE_PAID, "SUCCESS"),
    Behaviour.FAILED_LATE: (_State.STATE_FAILED, "RECEIVER_ACCOUNT_LOCKED"),
    Behaviour.DENIED: (_State.STATE_FAILED, "BATCH_DENIED"),
    Behaviour.RETURNED: (_State.STATE_FAILED, "RETURNED"),
    Behaviour.UNCLAIMED: (_State.STATE_UNCLAIMED, "UNCLAIMED"),
    Behaviour.ONHOLD: (_State.STATE_SENT, "ONHOLD"),
    Behaviour.BLOCKED: (_State.STATE_BLOCKED, "BLOCKED"),
    Behaviour.INSUFFICIENT_FUNDS: (_State.STATE_SENDING, "INSUFFICIENT_FUNDS"),
}


@dataclass(frozen=True)
class Due:
    """One payout, and how the provider will treat it."""

    id: str
    behaviour: Behaviour

    @property
    def receiver(self) -> str:
        return f"{self.behaviour.lower().replace('_', '-')}+{self.id}@example.com"


@dataclass(frozen=True)
class Environment:
    stack: Stack
    operator: "PayoutServiceAsyncStub"
    brand: "PayoutServiceAsyncStub"
    worker: "PayoutServiceAsyncStub"
    temporal: Client


@pytest.fixture
async def environment(tmp_path: Path) -> AsyncIterator[Environment]:
    async with (
        Stack(Home(tmp_path / "home"), processes=_PROCESSES, durable=False) as stack,
        AsyncExitStack() as exits,
    ):

        def stub(role: str, **claims: str) -> "PayoutServiceAsyncStub":
            token = stack.access.token(role, **claims)
            channel = open_channel(
                stack.access.addresses["payouts"], lambda: token, timeout_seconds=60.0
            )
            exits.push_async_callback(channel.close)
            return PayoutServiceStub(channel)

        yield Environment(
            stack,
            stub("operator", subject="staff/olga"),
            stub("brand", subject="brands/acme", brand="acme"),
            stub("service", subject="services/tests"),
            await Client.connect(stack.access.addresses["temporal"]),
        )


def _dues() -> list[Due]:
    kinds = list(_ENDS)
    return [
        Due(
            f"at-once-{number}",
            Behaviour.SUCCESS if number % 2 else kinds[number // 2 % len(kinds)],
        )
        for number in range(_COUNT)
    ]


async def test_each_payout_is_paid_once_or_its_state_explains_why_not(
    environment: Environment,
) -> None:
    dues = _dues()
    await _introduce(environment, dues)
    await _fund(environment, dues)
    await _begin(environment, dues)
    payouts = await _at_rest(environment, dues)
    for due in dues:
        _is_explained(due, payouts[due.id])
    await _paid_once(environment, dues, payouts)
    await _adds_up(environment, payouts)


async def _introduce(environment: Environment, dues: list[Due]) -> None:
    """Written directly into the service's schema, since admission is not tested here."""
    url = environment.stack.access.service_url("creators")
    async with await psycopg.AsyncConnection.connect(url) as connection:
        await connection.execute(
            """
            INSERT INTO creator (id, state, display_name, mobile_number, dingtalk_id, account,
                                 statistics, level, paypal_receiver, paypal_receiver_name_time,
                                 create_time, update_time)
            SELECT id, 'ADMITTED', id, '+34612345678', '+34612345678',
                   '{"account_class": "EXTERNAL", "handle": "@a", "post_count": 100,
                     "follower_count": 10000}',
                   jsonb_build_object('post_count', 100, 'follower_count', 10000,
                                      'observe_time', now(), 'source', 'DECLARED'),
                   'NEWCOMER', receiver, now(), now(), now()
              FROM unnest(%s::text[], %s::text[]) AS due (id, receiver)
            """,
            ([due.id for due in dues], [due.receiver for due in dues]),
        )


async def _fund(environment: Environment, dues: list[Due]) -> None:
    deposit = await environment.brand.CreateDeposit(
        pb.CreateDepositRequest(
            parent="brands/acme",
            deposit=pb.Deposit(amount=Money("USD", 20_00 * len(dues)).to_message()),
            request_id=new_request_id(),
        )
    )
    await environment.operator.ConfirmDeposit(
        pb.ConfirmDepositRequest(
            name=deposit.name, external_reference="at once", request_id=new_request_id()
        )
    )
    for start in range(0, len(dues), _BATCH):
        await environment.worker.ReserveRewards(
            pb.ReserveRewardsRequest(
                brand="brands/acme",
                amount=_REWARD.to_message(),
                reservations=[
                    pb.RewardReservation(payout=f"payouts/{due.id}", creator=f"creators/{due.id}")
                    for due in dues[start : start + _BATCH]
                ],
            )
        )


async def _begin(environment: Environment, dues: list[Due]) -> None:
    """Starts every payout workflow."""
    left = iter(dues)

    async def start() -> None:
        for due in left:
            await environment.temporal.start_workflow(
                PayoutWorkflow.run,
                PayoutTerms(
                    payout_id=due.id,
                    brand_id="acme",
                    creator_id=due.id,
                    currency=_REWARD.currency,
                    amount_minor=_REWARD.amount_minor,
                    reserved_minor=_REWARD.amount_minor,
                    retry_interval=STANDARD.payout_retry_interval,
                ),
                id=ids.payout(due.id),
                task_queue=queue_of(Domain.PAYOUTS),
            )

    await asyncio.gather(*(start() for _ in range(_AT_ONCE)))


async def _at_rest(environment: Environment, dues: list[Due]) -> dict[str, pb.Payout]:
    """Waits until each payout is in the final state of its behaviour."""
    expected = Counter(_State.Name(_ENDS[due.behaviour][0]) for due in dues)
    states: Counter[str] = Counter()
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while True:
                payouts = await _all(environment)
                states = Counter(_State.Name(payout.state) for payout in payouts.values())
                if states == expected:
                    return payouts
                await asyncio.sleep(0.5)  # between two polls of other processes
    except TimeoutError:
        pytest.fail(f"{states} where there should be {expected}")


async def _all(environment: Environment) -> dict[str, pb.Payout]:
    payouts: dict[str, pb.Payout] = {}
    token = ""
    while True:
        page = await call_until_answered(
            environment.operator.ListPayouts, pb.ListPayoutsRequest(page_size=200, page_token=token)
        )
        payouts |= {payout.name.removeprefix("payouts/"): payout for payout in page.payouts}
        token = page.next_page_token
        if not token:
            return payouts


def _is_explained(due: Due, payout: pb.Payout) -> None:
    state, word = _ENDS[due.behaviour]
    latest = payout.attempts[-1]
    assert payout.state == state, payout
    assert word in (latest.provider_state, latest.error_code), payout
    assert len(payout.attempts) == 1, payout
    if state != _State.STATE_SENDING:
        assert latest.provider_batch_id, payout


async def _paid_once(
    environment: Environment, dues: list[Due], payouts: dict[str, pb.Payout]
) -> None:
    """The provider received each payment once, and its records match ours."""
    payments = payments_of(environment.stack.home.data("paypal"))
    ordered = Counter(payment.sender_batch_id for payment in payments)
    assert set(ordered.values()) == {1}
    refused = {due.id for due in dues if due.behaviour is Behaviour.INSUFFICIENT_FUNDS}
    assert set(ordered) == {f"po-{due.id}-1" for due in dues if due.id not in refused}
    given = {
        payment.sender_batch_id: payment.receiver
        for payment in payments
        if payment.status in ("SUCCESS", "REVERSED")
    }
    assert given == {
        f"po-{due.id}-1": due.receiver for due in dues if payouts[due.id].state == _State.STATE_PAID
    }


async def _adds_up(environment: Environment, payouts: dict[str, pb.Payout]) -> None:
    paid = sum(payout.state == _State.STATE_PAID for payout in payouts.values())
    answer = await environment.operator.GetTrialBalance(pb.GetTrialBalanceRequest())
    balances = {
        each.account: Money.from_message(each.balance).amount_minor for each in answer.accounts
    }
    assert sum(balances.values()) == 0
    assert balances["provider/paypal"] == paid * _REWARD.amount_minor
