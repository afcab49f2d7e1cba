"""Activity of the reconciliation workflow: one call of the payouts service."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from google.type.money_pb2 import Money as MoneyMessage
from liaison.payouts.v1 import payouts_pb2
from liaison.payouts.v1 import reconciliation_pb2 as pb
from temporalio import activity

from servicekit.money import Money
from servicekit.timestamps import from_timestamp
from workflows.reconciliation.activity_interface import ReconciliationActivityInterface
from workflows.reconciliation.model import Reconcile, Reconciled
from workflows.temporal.failures import retrying_all_but

if TYPE_CHECKING:  # what a stub is over an aio channel exists in the type stubs only
    from liaison.payouts.v1.reconciliation_pb2_grpc import ReconciliationServiceAsyncStub

# Findings shown in the Temporal UI; the report has all of them.
_MAXIMUM_FINDINGS = 20


@dataclass(frozen=True)
class ReconciliationActivities(ReconciliationActivityInterface):
    reconciliations: "ReconciliationServiceAsyncStub"

    @activity.defn
    async def reconcile_provider(self, request: Reconcile) -> Reconciled:
        with retrying_all_but():
            done = await self.reconciliations.RunReconciliation(
                pb.RunReconciliationRequest(
                    request_id=request.request_id,
                    provider=payouts_pb2.Provider.Value(f"PROVIDER_{request.provider}"),
                )
            )
        return Reconciled(
            name=done.name,
            provider=request.provider,
            period=_period(done),
            transaction_count=done.transaction_count,
            mismatch_count=done.mismatch_count,
            totals=[_total(each) for each in done.totals],
            findings=list(_findings(done)),
        )


def _period(done: pb.Reconciliation) -> str:
    start, end = from_timestamp(done.start_time), from_timestamp(done.end_time)
    return f"{start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC"


def _total(total: pb.ReconciliationTotal) -> str:
    return (
        f"provider {_money(total.provider_amount)}, fees {_money(total.provider_fee)};"
        f" ledger {_money(total.ledger_amount)}, fees {_money(total.ledger_fee)};"
        f" not delivered yet {_money(total.open_amount)}"
    )


def _findings(done: pb.Reconciliation) -> Iterator[str]:
    for finding in done.findings[:_MAXIMUM_FINDINGS]:
        kind = pb.Finding.Kind.Name(finding.kind).removeprefix("KIND_")
        what = finding.payout or f"transaction {finding.provider_transaction_id}"
        yield f"{kind} {what}: {finding.description}"
    if len(done.findings) > _MAXIMUM_FINDINGS:
        yield f"and {len(done.findings) - _MAXIMUM_FINDINGS} more"


def _money(message: MoneyMessage) -> str:
    return str(Money.from_message(message))
