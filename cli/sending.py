"""`liaison sending`: whether payouts are sent, and why not; stopping them, letting them go on."""

from uuid import uuid4

import grpc
import typer
from liaison.payouts.v1 import reconciliation_pb2 as pb
from liaison.payouts.v1.reconciliation_pb2_grpc import ReconciliationServiceStub

from cli.calls import call_payouts
from servicekit.timestamps import from_timestamp

# Exit code: nothing is sent.
HALTED = 4


def print_sending(action: str, reason: str) -> int:
    """`action` is `show`, `halt` or `resume`. Answers with the exit code."""

    async def command(channel: grpc.aio.Channel) -> int:
        stub = ReconciliationServiceStub(channel)
        request_id = str(uuid4())
        if action == "halt":
            asked = pb.HaltSendingRequest(reason=reason, request_id=request_id)
            sending = await stub.HaltSending(asked)
        elif action == "resume":
            asked_again = pb.ResumeSendingRequest(reason=reason, request_id=request_id)
            sending = await stub.ResumeSending(asked_again)
        else:
            sending = await stub.GetSending(pb.GetSendingRequest())
        typer.echo(sending_in_words(sending))
        return HALTED if sending.is_halted and action != "halt" else 0

    return call_payouts(command)


def sending_in_words(sending: pb.Sending) -> str:
    if not sending.HasField("update_time"):
        return "Payouts are sent."
    since = f"{from_timestamp(sending.update_time):%Y-%m-%d %H:%M:%S} UTC, {sending.actor}"
    if not sending.is_halted:
        return f"Payouts are sent again, since {since}: {sending.reason}"
    cause = pb.Sending.Cause.Name(sending.cause).removeprefix("CAUSE_")
    return f"Nothing is sent ({cause}), since {since}: {sending.reason}"
