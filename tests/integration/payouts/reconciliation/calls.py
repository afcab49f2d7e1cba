"""Calls to any payouts service, such as one on a restored database."""

from typing import TYPE_CHECKING

from liaison.payouts.v1 import payouts_pb2
from liaison.payouts.v1 import reconciliation_pb2 as pb

from tests.integration.payouts.provider_reports import found
from tests.support.serving import request_id

if TYPE_CHECKING:  # the stubs' async faces are there for type checkers only
    from liaison.payouts.v1.payouts_pb2_grpc import PayoutServiceAsyncStub
    from liaison.payouts.v1.reconciliation_pb2_grpc import ReconciliationServiceAsyncStub


async def cause_of(reconciler: "ReconciliationServiceAsyncStub") -> str:
    """The cause of the latest active halt; empty if there is none."""
    kill_switch = await reconciler.GetKillSwitch(pb.GetKillSwitchRequest())
    assert kill_switch.is_halted == bool(kill_switch.halts)
    causes = [pb.KillSwitch.Cause.Name(halt.cause) for halt in kill_switch.halts[:1]]
    return "".join(causes).removeprefix("CAUSE_")


async def resume(reconciler: "ReconciliationServiceAsyncStub") -> pb.KillSwitch:
    return await reconciler.ResumePayouts(
        pb.ResumePayoutsRequest(reason="Investigated", request_id=request_id())
    )


async def reconcile(reconciler: "ReconciliationServiceAsyncStub") -> list[tuple[str, str]]:
    """Reconciles every provider; returns the findings."""
    findings: list[tuple[str, str]] = []
    for provider in (payouts_pb2.PROVIDER_PAYPAL, payouts_pb2.PROVIDER_BANK_TRANSFER):
        request = pb.RunReconciliationRequest(request_id=request_id(), provider=provider)
        findings += found(await reconciler.RunReconciliation(request))
    return findings


async def send(worker: "PayoutServiceAsyncStub", payout: str) -> payouts_pb2.Payout:
    return await worker.SendPayout(
        payouts_pb2.SendPayoutRequest(name=f"payouts/{payout}", attempt=1)
    )
