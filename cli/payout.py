"""`liaison payout`: one payout, and what an operator decides about it, on the running stack."""

import asyncio
import getpass
import re
from collections.abc import Awaitable, Callable
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import typer
from liaison.payouts.v1 import payouts_pb2 as pb
from liaison.payouts.v1.payouts_pb2_grpc import PayoutServiceStub

from cli.payout_view import lines_of
from cli.stack import NOT_RUNNING
from devstack.access import Access, attach
from devstack.home import Home, default_home
from servicekit.errors import LiaisonError
from servicekit.grpc_client import open_channel
from servicekit.money import Money

if TYPE_CHECKING:  # the stub's async face is there for type checkers only
    from liaison.payouts.v1.payouts_pb2_grpc import PayoutServiceAsyncStub

Call = Callable[["PayoutServiceAsyncStub"], Awaitable[pb.Payout]]
_OUTCOME = pb.ResolveAttemptRequest


def show(payout: str) -> int:
    """Prints it. Answers with the exit code, as everything here does."""
    request = pb.GetPayoutRequest(name=name_of(payout))
    return _printed(lambda payouts: payouts.GetPayout(request))


def retry(payout: str, reason: str, provider: str, receiver: str, request_id: str) -> int:
    request = pb.RetryPayoutRequest(
        name=name_of(payout),
        reason=reason,
        provider=pb.Provider.Value(f"PROVIDER_{provider.upper() or 'UNSPECIFIED'}"),
        receiver=receiver,
    )
    return _decided(request, request_id, lambda payouts: payouts.RetryPayout(request))


def hold(payout: str, reason: str, request_id: str) -> int:
    request = pb.HoldPayoutRequest(name=name_of(payout), reason=reason)
    return _decided(request, request_id, lambda payouts: payouts.HoldPayout(request))


def resume(payout: str, reason: str, request_id: str) -> int:
    request = pb.ResumePayoutRequest(name=name_of(payout), reason=reason)
    return _decided(request, request_id, lambda payouts: payouts.ResumePayout(request))


def write_off(payout: str, reason: str, beneficiary: str, request_id: str) -> int:
    request = pb.WriteOffPayoutRequest(
        name=name_of(payout),
        reason=reason,
        beneficiary=pb.WriteOffPayoutRequest.Beneficiary.Value(
            f"BENEFICIARY_{beneficiary.upper()}"
        ),
    )
    return _decided(request, request_id, lambda payouts: payouts.WriteOffPayout(request))


def resolve(payout: str, attempt: int, reason: str, found: str, request_id: str) -> int:
    """`found` is the batch that was found; empty when nothing was paid."""
    request = pb.ResolveAttemptRequest(
        name=name_of(payout),
        attempt=attempt,
        outcome=_OUTCOME.OUTCOME_FOUND if found else _OUTCOME.OUTCOME_NOT_PAID,
        provider_batch_id=found,
        reason=reason,
    )
    return _decided(request, request_id, lambda payouts: payouts.ResolveAttempt(request))


def confirm(payout: str, attempt: int, reference: str, fee: str, request_id: str) -> int:
    """`fee` is an amount with its currency, such as `1.50 EUR`, or empty."""
    request = pb.ConfirmBankTransferRequest(
        name=name_of(payout), attempt=attempt, external_reference=reference
    )
    if fee:
        request.fee.CopyFrom(money_of(fee).to_message())
    return _decided(request, request_id, lambda payouts: payouts.ConfirmBankTransfer(request))


def reject(payout: str, attempt: int, reason: str, request_id: str) -> int:
    request = pb.RejectBankTransferRequest(name=name_of(payout), attempt=attempt, reason=reason)
    return _decided(request, request_id, lambda payouts: payouts.RejectBankTransfer(request))


def name_of(payout: str) -> str:
    """Of a payout, or of the assignment whose reward it is: they have one id."""
    return f"payouts/{payout.removeprefix('payouts/').removeprefix('assignments/')}"


def money_of(text: str) -> Money:
    """
    Raises:
        BadParameter: it is no amount in minor units with its currency.
    """
    value, _, currency = text.partition(" ")
    try:
        minor = Decimal(value) * 100
    except InvalidOperation:
        minor = Decimal("NaN")
    if not minor.is_finite() or minor != int(minor) or not re.fullmatch("[A-Z]{3}", currency):
        raise typer.BadParameter(f"{text} is no amount such as '1.50 EUR'")
    return Money(currency, int(minor))


def _decided(request: Any, request_id: str, call: Call) -> int:
    request.request_id = request_id or str(uuid4())
    return _printed(call, request.request_id)


def _printed(call: Call, request_id: str = "") -> int:
    access = attach(Home(default_home()))
    if access is None or "payouts" not in access.addresses:
        typer.echo("The payouts service is not running: `liaison up` starts it.", err=True)
        return NOT_RUNNING
    try:
        payout = asyncio.run(_answer(access, call))
    except LiaisonError as error:
        details = [f"{each.field}: {each.description}" for each in error.violations]
        typer.echo("; ".join(details) or error.message, err=True)
        if request_id and error.is_retryable:
            repeat = f"It may have been decided: repeat it with --request-id {request_id}"
            typer.echo(repeat, err=True)
        return 1
    for line in lines_of(payout):
        typer.echo(line)
    return 0


async def _answer(access: Access, call: Call) -> pb.Payout:
    channel = open_channel(
        access.addresses["payouts"], lambda: access.token("operator", subject=_operator())
    )
    try:
        return await call(PayoutServiceStub(channel))
    finally:
        await channel.close()


def _operator() -> str:
    """Whom the decision names: who is logged in on this machine."""
    try:
        name = re.sub(r"[^A-Za-z0-9]", "-", getpass.getuser()).strip("-")
    except (OSError, KeyError):  # a user id without a name
        name = ""
    return f"staff/{name[:60].strip('-') or 'cli'}"
