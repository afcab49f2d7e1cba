"""`liaison sending`: whether payouts are sent, and why not; stopping them, letting them go on."""

from collections.abc import Iterator
from uuid import uuid4

import grpc
import typer
from liaison.payouts.v1 import reconciliation_pb2 as pb
from liaison.payouts.v1.reconciliation_pb2_grpc import ReconciliationServiceStub

from cli.calls import call_payouts
from cli.lines import moment, plain

# Exit code: nothing is sent.
HALTED = 4


def print_sending(action: str, reason: str) -> int:
    """`action` is `show`, `halt` or `resume`. Answers with the exit code."""

    async def command(channel: grpc.aio.Channel) -> int:
        stub = ReconciliationServiceStub(channel)
        request_id = str(uuid4())
        if action == "halt":
            asked = pb.HaltPayoutsRequest(reason=reason, request_id=request_id)
            sending = await stub.HaltPayouts(asked)
        elif action == "resume":
            asked_again = pb.ResumePayoutsRequest(reason=reason, request_id=request_id)
            sending = await stub.ResumePayouts(asked_again)
        else:
            sending = await stub.GetKillSwitch(pb.GetKillSwitchRequest())
        for line in lines_of(sending):
            typer.echo(line)
        if action == "resume" and not sending.lifted_halts:
            typer.echo("Nothing was stopped.")
        return HALTED if sending.is_halted and action != "halt" else 0

    return call_payouts(command)


def lines_of(sending: pb.KillSwitch) -> Iterator[str]:
    """One line says whether payouts are sent; then each halt that stands, or has just been lifted,
    has one."""
    if sending.is_halted:
        yield "Nothing is sent:"
        yield from map(_halt, sending.halts)
    elif sending.HasField("resume"):
        again = sending.resume
        since = f"{moment(again.create_time)}, {again.actor}"
        yield f"Payouts are sent again, since {since}: {plain(again.reason)}"
    else:
        yield "Payouts are sent."
    if sending.lifted_halts:
        yield "Lifted now:"
        yield from map(_halt, sending.lifted_halts)


def _halt(halt: pb.KillSwitch.Halt) -> str:
    cause = pb.KillSwitch.Cause.Name(halt.cause).removeprefix("CAUSE_")
    return f"  {cause}, since {moment(halt.create_time)}, {halt.actor}: {plain(halt.reason)}"
