"""Calls of operators to the payouts service, each with a new request_id."""

from typing import Any

from liaison.payouts.v1 import payouts_pb2 as pb

from tests.integration.payouts.harness import Harness, usd
from tests.support.serving import request_id

IBAN = "ES91 2100 0418 4502 0005 1332, Anna Ruiz"
REASON = "Asked for in ticket 4711"
NAME = "payouts/p1"


async def retry(harness: Harness, **also: Any) -> pb.Payout:
    return await harness.operator.RetryPayout(
        pb.RetryPayoutRequest(name=NAME, reason=REASON, request_id=request_id(), **also)
    )


async def retry_by_bank(harness: Harness, attempt: int = 1) -> pb.Payout:
    """Chooses a bank transfer for the next attempt, and sends it."""
    await retry(harness, provider=pb.PROVIDER_BANK_TRANSFER, receiver=IBAN)
    return await harness.send("p1", attempt)


async def hold(harness: Harness) -> pb.Payout:
    return await harness.operator.HoldPayout(
        pb.HoldPayoutRequest(name=NAME, reason=REASON, request_id=request_id())
    )


async def resume(harness: Harness) -> pb.Payout:
    return await harness.operator.ResumePayout(
        pb.ResumePayoutRequest(name=NAME, reason=REASON, request_id=request_id())
    )


async def write_off(
    harness: Harness, beneficiary: pb.WriteOffPayoutRequest.Beneficiary.ValueType, name: str = NAME
) -> pb.Payout:
    return await harness.operator.WriteOffPayout(
        pb.WriteOffPayoutRequest(
            name=name, reason=REASON, beneficiary=beneficiary, request_id=request_id()
        )
    )


async def not_paid(harness: Harness) -> pb.Payout:
    return await harness.operator.ResolveAttempt(
        pb.ResolveAttemptRequest(
            name=NAME,
            attempt=1,
            outcome=pb.ResolveAttemptRequest.OUTCOME_NOT_PAID,
            reason=REASON,
            request_id=request_id(),
        )
    )


async def found(harness: Harness, batch_id: str) -> pb.Payout:
    return await harness.operator.ResolveAttempt(
        pb.ResolveAttemptRequest(
            name=NAME,
            attempt=1,
            outcome=pb.ResolveAttemptRequest.OUTCOME_FOUND,
            provider_batch_id=batch_id,
            reason=REASON,
            request_id=request_id(),
        )
    )


async def confirm(
    harness: Harness, reference: str = "BANK-1", *, attempt: int = 1, fee_minor: int = 0
) -> pb.Payout:
    return await harness.operator.ConfirmBankTransfer(
        pb.ConfirmBankTransferRequest(
            name=NAME,
            attempt=attempt,
            external_reference=reference,
            fee=usd(fee_minor) if fee_minor else None,
            request_id=request_id(),
        )
    )


async def reject(harness: Harness, *, attempt: int = 1) -> pb.Payout:
    return await harness.operator.RejectBankTransfer(
        pb.RejectBankTransferRequest(
            name=NAME, attempt=attempt, reason="The account is closed", request_id=request_id()
        )
    )
