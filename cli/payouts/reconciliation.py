"""`liaison reconciliation`: prints reconciliations, or runs new ones."""

import csv
import sys
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING
from uuid import uuid4

import grpc
import typer
from liaison.payouts.v1 import payouts_pb2
from liaison.payouts.v1 import reconciliation_pb2 as pb
from liaison.payouts.v1.reconciliation_pb2_grpc import ReconciliationServiceStub
from rich.console import Console

from cli.calls import call_payouts
from cli.payouts.kill_switch import lines_of
from cli.payouts.reconciliation_view import COLUMNS, report_of, row_of
from servicekit.errors import Unavailable
from workflows.payout.providers import ProviderName

if TYPE_CHECKING:  # the stub's async face is there for type checkers only
    from liaison.payouts.v1.reconciliation_pb2_grpc import ReconciliationServiceAsyncStub

# Exit code: a mismatch was found, or a mismatch halt is active.
MISMATCH = 4
# Reading a provider's report of one month takes minutes.
_RUN_SECONDS = 600.0
# Columns of a report that goes to a file or another command.
_FILE_WIDTH = 140


def print_reconciliation(which: str, provider: str, *, is_csv: bool) -> int:
    """`which` is `latest`, `run` for a new one, or a name; `provider` is such as PAYPAL, or empty
    for one of each. Active halts are printed too, unless a name is given. Returns the exit code."""
    providers = [provider] if provider else [str(name) for name in ProviderName]

    async def command(channel: grpc.aio.Channel) -> int:
        stub = ReconciliationServiceStub(channel)
        if which not in ("run", "latest"):
            found = [await _find(stub, which)]
            _write(found, is_csv=is_csv)
            return MISMATCH if found[0].mismatch_count else 0
        if which == "run":
            found = [each async for each in _run_all(stub, providers)]
        else:
            found = [await _find(stub, name) for name in await _latest(stub, providers)]
        missing = sorted(set(providers).difference(map(_provider_of, found)))
        _write(found, is_csv=is_csv)
        for each in missing if which == "latest" else ():
            typer.echo(
                f"{each}: none has run yet; start one with `liaison reconciliation run`", err=True
            )
        kill_switch = await stub.GetKillSwitch(pb.GetKillSwitchRequest())
        if kill_switch.is_halted:
            typer.echo("\n".join(["", *lines_of(kill_switch)]), err=is_csv)
        if any(each.mismatch_count for each in found) or _has_mismatch_halt(kill_switch):
            return MISMATCH
        return 1 if missing else 0

    return call_payouts(command, timeout_seconds=_RUN_SECONDS)


def _has_mismatch_halt(kill_switch: pb.KillSwitch) -> bool:
    """Of any provider and any earlier reconciliation."""
    return any(halt.cause == pb.KillSwitch.CAUSE_MISMATCH for halt in kill_switch.halts)


async def _run_all(
    stub: "ReconciliationServiceAsyncStub", providers: list[str]
) -> AsyncIterator[pb.Reconciliation]:
    """One new reconciliation of each provider. Prints why a provider could not be read."""
    for each in providers:
        try:
            yield await _run(stub, each)
        except Unavailable as error:
            typer.echo(f"{each}: {error.message}", err=True)


async def _run(stub: "ReconciliationServiceAsyncStub", provider: str) -> pb.Reconciliation:
    return await stub.RunReconciliation(
        pb.RunReconciliationRequest(
            request_id=str(uuid4()), provider=payouts_pb2.Provider.Value(f"PROVIDER_{provider}")
        )
    )


async def _find(stub: "ReconciliationServiceAsyncStub", which: str) -> pb.Reconciliation:
    name = which if which.startswith("reconciliations/") else f"reconciliations/{which}"
    return await stub.GetReconciliation(pb.GetReconciliationRequest(name=name))


async def _latest(stub: "ReconciliationServiceAsyncStub", providers: list[str]) -> list[str]:
    """The name of each provider's latest reconciliation, in the order of `providers`, without those
    that were never reconciled."""
    names: dict[str, str] = {}
    request = pb.ListReconciliationsRequest(page_size=200)
    while True:
        page = await stub.ListReconciliations(request)
        for each in page.reconciliations:
            names.setdefault(_provider_of(each), each.name)
        if not page.next_page_token or names.keys() >= set(providers):
            return [names[each] for each in providers if each in names]
        request.page_token = page.next_page_token


def _provider_of(found: pb.Reconciliation) -> str:
    return payouts_pb2.Provider.Name(found.provider).removeprefix("PROVIDER_")


def _write(found: list[pb.Reconciliation], *, is_csv: bool) -> None:
    if is_csv:
        _write_csv(found)
    else:
        _print(found)


def _print(found: list[pb.Reconciliation]) -> None:
    width = None if sys.stdout.isatty() else _FILE_WIDTH
    console = Console(highlight=False, width=width)
    for number, each in enumerate(found):
        if number:
            console.print()
        console.print(report_of(each))


def _write_csv(found: list[pb.Reconciliation]) -> None:
    sys.stdout.reconfigure(encoding="utf-8", newline="")  # type: ignore[union-attr]  # it is a file's
    writer = csv.writer(sys.stdout, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for each in found:
        writer.writerows(row_of(each, finding) for finding in each.findings)
