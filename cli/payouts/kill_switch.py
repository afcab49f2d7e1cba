"""`liaison payouts status`, `halt` and `resume`: the kill switch of all payouts."""

from collections.abc import Awaitable, Callable, Iterator
from typing import TYPE_CHECKING
from uuid import uuid4

import grpc
import typer
from liaison.payouts.v1 import reconciliation_pb2 as pb
from liaison.payouts.v1.reconciliation_pb2_grpc import ReconciliationServiceStub

from cli.calls import call_payouts
from cli.lines import moment, plain

if TYPE_CHECKING:  # the stub's async face is there for type checkers only
    from liaison.payouts.v1.reconciliation_pb2_grpc import ReconciliationServiceAsyncStub

# Exit code: payouts are halted.
HALTED = 4


def status() -> int:
    """Prints whether payouts are sent. Returns the exit code, as everything here does."""
    request = pb.GetKillSwitchRequest()

    async def command(channel: grpc.aio.Channel) -> int:
        return await _print(channel, lambda stub: stub.GetKillSwitch(request))

    return call_payouts(command)


def halt(reason: str) -> int:
    request = pb.HaltPayoutsRequest(reason=reason, request_id=str(uuid4()))

    async def command(channel: grpc.aio.Channel) -> int:
        await _print(channel, lambda stub: stub.HaltPayouts(request))
        return 0

    return call_payouts(command)


def resume(reason: str) -> int:
    request = pb.ResumePayoutsRequest(reason=reason, request_id=str(uuid4()))

    async def command(channel: grpc.aio.Channel) -> int:
        return await _print(channel, lambda stub: stub.ResumePayouts(request), is_resume=True)

    return call_payouts(command)


async def _print(
    channel: grpc.aio.Channel,
    call: "Callable[[ReconciliationServiceAsyncStub], Awaitable[pb.KillSwitch]]",
    *,
    is_resume: bool = False,
) -> int:
    kill_switch = await call(ReconciliationServiceStub(channel))
    for line in lines_of(kill_switch):
        typer.echo(line)
    if is_resume and not kill_switch.lifted_halts:
        typer.echo("There was no halt to lift.")
    return HALTED if kill_switch.is_halted else 0


def lines_of(kill_switch: pb.KillSwitch) -> Iterator[str]:
    """One line for the state, then one for each active halt and each halt that was just lifted."""
    if kill_switch.is_halted:
        yield "Payouts are HALTED:"
        yield from map(_halt, kill_switch.halts)
    elif kill_switch.HasField("resume"):
        resume = kill_switch.resume
        since = f"{moment(resume.create_time)} by {resume.actor}"
        yield f"Payouts are being sent. Resumed {since}: {plain(resume.reason)}"
    else:
        yield "Payouts are being sent."
    if kill_switch.lifted_halts:
        yield "Halts lifted by this command:"
        yield from map(_halt, kill_switch.lifted_halts)


def _halt(halt: pb.KillSwitch.Halt) -> str:
    cause = pb.KillSwitch.Cause.Name(halt.cause).removeprefix("CAUSE_")
    return f"  {cause} since {moment(halt.create_time)} by {halt.actor}: {plain(halt.reason)}"
