"""Deposits and payouts under bad input: what is refused moves no money.

Callers and roles are in tests/integration/payouts, uploads in tests/integration/media.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from google.type.money_pb2 import Money as MoneyMessage
from liaison.payouts.v1 import payouts_pb2 as pb
from liaison.payouts.v1.payouts_pb2_grpc import PayoutServiceStub

from devstack.access import Access
from servicekit.clock import utc_now
from servicekit.errors import Reason
from servicekit.postgres.database import Database
from services.payouts.handlers import PayoutHandlers
from services.payouts.ledger.store import LedgerStore
from services.payouts.servicer import service
from services.payouts.store import PayoutStore
from tests.support.databases import Databases
from tests.support.serving import refused, request_id, serving


@dataclass
class Till:
    brand: Any
    operator: Any
    worker: Any

    async def balances(self) -> dict[str, int]:
        answer = await self.operator.GetTrialBalance(pb.GetTrialBalanceRequest())
        return {each.account: each.balance.units for each in answer.accounts}


@pytest.fixture
async def till(access: Access, databases: Databases) -> AsyncIterator[Till]:
    async with Database(await databases.fresh("payouts"), pool_size=4) as database:
        handlers = PayoutHandlers(PayoutStore(database), LedgerStore(database), utc_now)
        nobody: Any = None  # nothing is sent here, and an attempt to would fail
        async with serving(access, [service(handlers, nobody, nobody, nobody)], database) as served:
            yield Till(
                PayoutServiceStub(served.as_brand("acme")),
                PayoutServiceStub(served.as_operator()),
                PayoutServiceStub(served.as_service()),
            )


def depositing(units: int = 50, nanos: int = 0, currency: str = "USD") -> pb.CreateDepositRequest:
    amount = MoneyMessage(currency_code=currency, units=units, nanos=nanos)
    return pb.CreateDepositRequest(
        parent="brands/acme", deposit=pb.Deposit(amount=amount), request_id=request_id()
    )


def confirming(deposit: pb.Deposit, reference: str) -> pb.ConfirmDepositRequest:
    return pb.ConfirmDepositRequest(
        name=deposit.name, external_reference=reference, request_id=request_id()
    )


async def test_missing_fields_are_named(till: Till) -> None:
    with refused(Reason.INVALID_FIELDS, "parent", "deposit", "request_id"):
        await till.brand.CreateDeposit(pb.CreateDepositRequest())
    request = depositing()
    request.deposit.ClearField("amount")
    with refused(Reason.INVALID_FIELDS, "deposit.amount"):
        await till.brand.CreateDeposit(request)
    with refused(Reason.INVALID_FIELDS, "name", "external_reference", "request_id"):
        await till.operator.ConfirmDeposit(pb.ConfirmDepositRequest())
    with refused(Reason.INVALID_FIELDS, "brand", "amount", "reservations"):
        await till.worker.ReserveRewards(pb.ReserveRewardsRequest())


@pytest.mark.parametrize(
    ("units", "nanos", "currency"),
    [(1, 5_000_000, "USD"), (1, 0, "XXX"), (1, 0, ""), (1, 0, "JPY"), (2**63 - 1, 0, "USD")],
)
async def test_amounts_that_cannot_be_paid_are_refused(
    till: Till, units: int, nanos: int, currency: str
) -> None:
    with refused(Reason.INVALID_FIELDS, "deposit.amount"):
        await till.brand.CreateDeposit(depositing(units, nanos, currency))
    assert await till.balances() == {}


async def test_a_request_id_is_good_for_one_deposit_and_one_confirmation(till: Till) -> None:
    request = depositing()
    first, *others = await asyncio.gather(*(till.brand.CreateDeposit(request) for _ in range(3)))
    assert all(other == first for other in others)
    changed = depositing(51)
    changed.request_id = request.request_id
    with refused(Reason.REQUEST_ID_REUSED):
        await till.brand.CreateDeposit(changed)
    confirmation = confirming(first, "SEPA-1")
    done, *others = await asyncio.gather(
        *(till.operator.ConfirmDeposit(confirmation) for _ in range(3))
    )
    assert all(other == done for other in others)
    confirmation.external_reference = "SEPA-2"
    with refused(Reason.REQUEST_ID_REUSED):
        await till.operator.ConfirmDeposit(confirmation)
    assert await till.balances() == {"brands/acme/available": 50, "world/deposits": -50}


async def test_an_unknown_payout_or_deposit_is_not_found(till: Till) -> None:
    with refused(Reason.NOT_FOUND):
        await till.operator.ConfirmDeposit(
            confirming(pb.Deposit(name="brands/acme/deposits/unknown"), "SEPA-1")
        )
    with refused(Reason.NOT_FOUND):
        await till.worker.ReleaseReward(pb.ReleaseRewardRequest(name="payouts/unknown"))
    with refused(Reason.NOT_FOUND):
        amount = MoneyMessage(currency_code="USD", units=1)
        await till.worker.ReduceReward(
            pb.ReduceRewardRequest(name="payouts/unknown", amount=amount)
        )
    for size, token in ((-1, ""), (0, "nonsense")):
        field = "page_size" if size else "page_token"
        with refused(Reason.INVALID_FIELDS, field):
            await till.brand.ListPayouts(pb.ListPayoutsRequest(page_size=size, page_token=token))
    assert await till.balances() == {}
