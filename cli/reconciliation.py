"""`liaison reconciliation`: what a reconciliation found, for accountants, or a new one."""

import csv
import sys
from typing import TYPE_CHECKING
from uuid import uuid4

import grpc
from liaison.payouts.v1 import payouts_pb2
from liaison.payouts.v1 import reconciliation_pb2 as pb
from liaison.payouts.v1.reconciliation_pb2_grpc import ReconciliationServiceStub
from rich.console import Console

from cli.calls import call_payouts
from cli.reconciliation_view import COLUMNS, report_of, row_of
from servicekit.errors import not_found

if TYPE_CHECKING:  # the stub's async face is there for type checkers only
    from liaison.payouts.v1.reconciliation_pb2_grpc import ReconciliationServiceAsyncStub

# Exit code: it was made or printed, and something does not match.
MISMATCHES = 4
# A provider's report of a month takes minutes.
_RUN_SECONDS = 600.0
_PROVIDERS = ("PAYPAL", "MANUAL")
# Of a report that goes to a file or another command.
_FILE_WIDTH = 140


def print_reconciliation(which: str, provider: str, *, is_csv: bool) -> int:
    """`which` is `latest`, `run` for a new one, or a name; `provider` is PAYPAL or MANUAL, or empty
    for a new one of each, or the latest of any. Answers with the exit code."""

    async def command(channel: grpc.aio.Channel) -> int:
        stub = ReconciliationServiceStub(channel)
        if which == "run":
            found = [await _run(stub, each) for each in ([provider] if provider else _PROVIDERS)]
        else:
            found = [await _find(stub, which, provider)]
        if is_csv:
            _write_csv(found)
        else:
            _print(found)
        return MISMATCHES if any(each.mismatch_count for each in found) else 0

    return call_payouts(command, timeout_seconds=_RUN_SECONDS)


async def _run(stub: "ReconciliationServiceAsyncStub", provider: str) -> pb.Reconciliation:
    return await stub.RunReconciliation(
        pb.RunReconciliationRequest(
            request_id=str(uuid4()), provider=payouts_pb2.Provider.Value(f"PROVIDER_{provider}")
        )
    )


async def _find(
    stub: "ReconciliationServiceAsyncStub", which: str, provider: str
) -> pb.Reconciliation:
    name = which if which.startswith("reconciliations/") else f"reconciliations/{which}"
    if which == "latest":
        name = await _latest(stub, provider)
    return await stub.GetReconciliation(pb.GetReconciliationRequest(name=name))


async def _latest(stub: "ReconciliationServiceAsyncStub", provider: str) -> str:
    request = pb.ListReconciliationsRequest(page_size=200 if provider else 1)
    while True:
        page = await stub.ListReconciliations(request)
        for each in page.reconciliations:
            if (
                payouts_pb2.Provider.Name(each.provider)
                .removeprefix("PROVIDER_")
                .startswith(provider)
            ):
                return each.name
        if not page.next_page_token:
            raise not_found("A reconciliation")
        request.page_token = page.next_page_token


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
