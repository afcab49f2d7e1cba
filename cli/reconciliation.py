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
# Of a report that goes to a file or another command.
_FILE_WIDTH = 140


def print_reconciliation(which: str, provider: str, *, is_csv: bool) -> int:
    """`which` is `latest`, `run` for a new one, or a name; `provider` is PAYPAL or MANUAL, or empty
    for the latest of any. Answers with the exit code."""

    async def command(channel: grpc.aio.Channel) -> int:
        stub = ReconciliationServiceStub(channel)
        found = await _find(stub, which, provider)
        if is_csv:
            _write_csv(found)
        else:
            width = None if sys.stdout.isatty() else _FILE_WIDTH
            Console(highlight=False, width=width).print(report_of(found))
        sys.stdout.flush()
        return MISMATCHES if found.mismatch_count else 0

    return call_payouts(command, timeout_seconds=_RUN_SECONDS)


async def _find(
    stub: "ReconciliationServiceAsyncStub", which: str, provider: str
) -> pb.Reconciliation:
    if which == "run":
        return await stub.RunReconciliation(
            pb.RunReconciliationRequest(
                request_id=str(uuid4()),
                provider=payouts_pb2.Provider.Value(f"PROVIDER_{provider or 'PAYPAL'}"),
            )
        )
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


def _write_csv(found: pb.Reconciliation) -> None:
    sys.stdout.reconfigure(encoding="utf-8", newline="")  # type: ignore[union-attr]  # it is a file's
    writer = csv.writer(sys.stdout, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    writer.writerows(row_of(found, finding) for finding in found.findings)
