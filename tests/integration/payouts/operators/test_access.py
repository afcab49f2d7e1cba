"""Who may decide about payouts, and who may read decisions and receivers."""

from liaison.payouts.v1 import payouts_pb2 as pb
from liaison.payouts.v1.payouts_pb2_grpc import PayoutServiceStub

from servicekit.errors import Reason
from tests.integration.payouts.harness import Harness
from tests.integration.payouts.operator_calls import NAME, REASON, hold
from tests.integration.payouts.operators.outcomes import seen_by
from tests.support.serving import refused, request_id


async def test_only_operators_decide(harness: Harness) -> None:
    await harness.due("p1", "anna@example.com")
    for channel in (
        harness.served.as_brand("acme"),
        harness.served.as_creator("anna"),
        harness.served.as_mediator(),
        harness.served.as_service(),
    ):
        stub = PayoutServiceStub(channel)
        common = {"name": NAME, "request_id": request_id()}
        for call in (
            stub.RetryPayout(pb.RetryPayoutRequest(reason=REASON, **common)),
            stub.HoldPayout(pb.HoldPayoutRequest(reason=REASON, **common)),
            stub.ResumePayout(pb.ResumePayoutRequest(reason=REASON, **common)),
            stub.WriteOffPayout(pb.WriteOffPayoutRequest(reason=REASON, **common)),
            stub.ResolveAttempt(pb.ResolveAttemptRequest(reason=REASON, **common)),
            stub.ConfirmBankTransfer(pb.ConfirmBankTransferRequest(**common)),
            stub.RejectBankTransfer(pb.RejectBankTransferRequest(**common)),
        ):
            with refused(Reason.ROLE_NOT_ALLOWED):
                await call
    with refused(Reason.NOT_FOUND):
        await harness.operator.HoldPayout(
            pb.HoldPayoutRequest(name="payouts/absent", reason=REASON, request_id=request_id())
        )


async def test_only_staff_see_decisions_and_only_operators_receivers(harness: Harness) -> None:
    await harness.due("p1", "onhold@example.com")
    await harness.send("p1")
    await hold(harness)
    seen = {
        "operator": await seen_by(harness.served.as_operator()),
        "mediator": await seen_by(harness.served.as_mediator()),
        "brand": await seen_by(harness.served.as_brand("acme")),
        "creator": await seen_by(harness.served.as_creator("anna")),
        "service": await seen_by(harness.served.as_service()),
    }
    assert {who for who, payout in seen.items() if payout.decisions} == {"operator", "mediator"}
    assert {who for who, payout in seen.items() if payout.attempts[0].receiver} == {"operator"}
    assert all(payout.is_held for payout in seen.values())
