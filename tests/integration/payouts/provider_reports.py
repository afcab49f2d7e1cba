"""PayPal with reports that a test chooses; every other call goes to the sandbox."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from liaison.payouts.v1 import payouts_pb2
from liaison.payouts.v1 import reconciliation_pb2 as pb

from servicekit.money import Money
from services.payouts.providers.interface import (
    Batch,
    MayPost,
    NotReadable,
    Order,
    Provider,
    Report,
    Transaction,
)
from tests.integration.payouts.harness import Harness, utc_now
from tests.support.serving import request_id
from workflows.payout.providers import ProviderName


@dataclass
class ChosenReports:
    """Reports `transactions` up to `end_time`, or raises unless `is_readable`. Batches in `hidden`
    cannot be read."""

    provider: Provider
    transactions: list[Transaction] = field(default_factory=list)
    end_time: Callable[[], datetime] = utc_now
    is_readable: bool = True
    hidden: set[str] = field(default_factory=set)
    asked_from: list[datetime] = field(default_factory=list)

    async def send(self, order: Order, may_post: MayPost) -> str:
        return await self.provider.send(order, may_post)

    async def batch(self, batch_id: str) -> Batch:
        batch = await self.provider.batch(batch_id)
        if batch.sender_batch_id in self.hidden:
            raise NotReadable("RESOURCE_NOT_FOUND")
        return batch

    async def cancel(self, item_id: str) -> None:
        await self.provider.cancel(item_id)

    async def report(self, start: datetime, end: datetime) -> Report:
        self.asked_from.append(start)
        if not self.is_readable:
            raise NotReadable("HTTP_503")
        end_time = self.end_time()
        inside = [each for each in self.transactions if start <= each.time < end_time]
        return Report(tuple(inside), end_time)

    def later(self, span: timedelta) -> None:
        """Reports are complete until `span` after now, from now on."""
        self.end_time = lambda: utc_now() + span


def choose_reports(harness: Harness) -> ChosenReports:
    """Replaces the harness's PayPal."""
    provider = ChosenReports(harness.providers[ProviderName.PAYPAL])
    harness.providers[ProviderName.PAYPAL] = provider
    return provider


def moved(
    id_: str,
    minor: int,
    *,
    fee_minor: int = 0,
    sender_batch_id: str = "",
    reverses_id: str = "",
    is_pending: bool = False,
) -> Transaction:
    """A transaction of now, in USD."""
    return Transaction(
        id_,
        sender_batch_id,
        reverses_id,
        Money("USD", minor),
        Money("USD", fee_minor),
        utc_now(),
        is_pending=is_pending,
    )


async def payment(harness: Harness, payout: str, minor: int = 10_000) -> Transaction:
    """The transaction by which PayPal reports the latest attempt's payment, fee included."""
    row = await harness.database.fetch_one(
        "SELECT * FROM attempt WHERE payout_id = %s ORDER BY number DESC LIMIT 1", (payout,)
    )
    assert row is not None
    return moved(
        row["provider_transaction_id"] or f"T-{payout}",
        minor,
        fee_minor=minor * 2 // 100,
        sender_batch_id=row["sender_batch_id"],
    )


async def run(harness: Harness, id_: str = "") -> pb.Reconciliation:
    return await harness.reconciler.RunReconciliation(
        pb.RunReconciliationRequest(
            request_id=id_ or request_id(), provider=payouts_pb2.PROVIDER_PAYPAL
        )
    )


def found(reconciliation: pb.Reconciliation) -> list[tuple[str, str]]:
    """Kind and payout of each finding."""
    return [
        (pb.Finding.Kind.Name(each.kind).removeprefix("KIND_"), each.payout)
        for each in reconciliation.findings
    ]
