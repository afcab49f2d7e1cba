"""`liaison payout`: shows one payout, and sends an operator's decision about it."""

import re
from collections.abc import Awaitable, Callable
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import grpc
import typer
from liaison.payouts.v1 import payouts_pb2 as pb
from liaison.payouts.v1 import reconciliation_pb2
from liaison.payouts.v1.payouts_pb2_grpc import PayoutServiceStub
from liaison.payouts.v1.reconciliation_pb2_grpc import ReconciliationServiceStub

from cli.calls import call_payouts
from cli.payouts.view import lines_of
from servicekit.money import Money

if TYPE_CHECKING:  # the stub's async face is there for type checkers only
    from liaison.payouts.v1.payouts_pb2_grpc import PayoutServiceAsyncStub

Call = Callable[["PayoutServiceAsyncStub"], Awaitable[pb.Payout]]
_OUTCOME = pb.ResolveAttemptRequest


def show(payout: str) -> int:
    """Prints the payout. Returns the exit code, as every command here does."""
    request = pb.GetPayoutRequest(name=name_of(payout))
    return _print(lambda payouts: payouts.GetPayout(request))


def retry(payout: str, reason: str, provider: str, receiver: str, request_id: str) -> int:
    request = pb.RetryPayoutRequest(
        name=name_of(payout),
        reason=reason,
        provider=pb.Provider.Value(f"PROVIDER_{provider or 'UNSPECIFIED'}"),
        receiver=receiver,
    )
    return _decide(request, request_id, lambda payouts: payouts.RetryPayout(request))


def hold(payout: str, reason: str, request_id: str) -> int:
    request = pb.HoldPayoutRequest(name=name_of(payout), reason=reason)
    return _decide(request, request_id, lambda payouts: payouts.HoldPayout(request))


def resume(payout: str, reason: str, request_id: str) -> int:
    request = pb.ResumePayoutRequest(name=name_of(payout), reason=reason)
    return _decide(request, request_id, lambda payouts: payouts.ResumePayout(request))


def write_off(payout: str, reason: str, beneficiary: str, request_id: str) -> int:
    request = pb.WriteOffPayoutRequest(
        name=name_of(payout),
        reason=reason,
        beneficiary=pb.WriteOffPayoutRequest.Beneficiary.Value(
            f"BENEFICIARY_{beneficiary.upper()}"
        ),
    )
    return _decide(request, request_id, lambda payouts: payouts.WriteOffPayout(request))


def resolve(payout: str, attempt: int, reason: str, found: str, request_id: str) -> int:
    """`found` is the provider's batch id; empty means that nothing was paid."""
    request = pb.ResolveAttemptRequest(
        name=name_of(payout),
        attempt=attempt,
        outcome=_OUTCOME.OUTCOME_FOUND if found else _OUTCOME.OUTCOME_NOT_PAID,
        provider_batch_id=found,
        reason=reason,
    )
    return _decide(request, request_id, lambda payouts: payouts.ResolveAttempt(request))


def confirm(payout: str, attempt: int, reference: str, fee: str, request_id: str) -> int:
    """`fee` is an amount with its currency, such as `1.50 EUR`, or empty."""
    request = pb.ConfirmBankTransferRequest(
        name=name_of(payout), attempt=attempt, external_reference=reference
    )
    if fee:
        request.fee.CopyFrom(money_of(fee).to_message())
    return _decide(request, request_id, lambda payouts: payouts.ConfirmBankTransfer(request))


def reject(payout: str, attempt: int, reason: str, request_id: str) -> int:
    request = pb.RejectBankTransferRequest(name=name_of(payout), attempt=attempt, reason=reason)
    return _decide(request, request_id, lambda payouts: payouts.RejectBankTransfer(request))


def name_of(payout: str) -> str:
    """Accepts an id or the name of a payout or its assignment, which share one id."""
    return f"payouts/{payout.removeprefix('payouts/').removeprefix('assignments/')}"


def money_of(text: str) -> Money:
    """
    Raises:
        BadParameter: not an amount with at most two decimals and a currency.
    """
    value, _, currency = text.partition(" ")
    try:
        minor = Decimal(value) * 100
    except InvalidOperation:
        minor = Decimal("NaN")
    if not minor.is_finite() or minor != int(minor) or not re.fullmatch("[A-Z]{3}", currency):
        raise typer.BadParameter(f"{text} is not an amount such as '1.50 EUR'")
    return Money(currency, int(minor))


def _decide(request: Any, request_id: str, call: Call) -> int:
    request.request_id = request_id or str(uuid4())
    return _print(call, request.request_id)


def _print(call: Call, request_id: str = "") -> int:
    async def command(channel: grpc.aio.Channel) -> int:
        payout = await call(PayoutServiceStub(channel))
        request = reconciliation_pb2.GetKillSwitchRequest()
        kill_switch = await ReconciliationServiceStub(channel).GetKillSwitch(request)
        for line in lines_of(payout, is_halted=kill_switch.is_halted):
            typer.echo(line)
        return 0

    return call_payouts(command, request_id=request_id)
