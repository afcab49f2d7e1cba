"""`liaison statement`: a brand's or a creator's statement as CSV."""

import csv
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TextIO

import grpc
from liaison.payouts.v1 import statements_pb2 as pb
from liaison.payouts.v1.statements_pb2_grpc import StatementServiceStub

from cli.calls import call_payouts
from cli.csv_cells import decimal, text
from servicekit.timestamps import from_timestamp, to_timestamp

if TYPE_CHECKING:  # the stub's async face is there for type checkers only
    from liaison.payouts.v1.statements_pb2_grpc import StatementServiceAsyncStub

COLUMNS = (
    "post_time",
    "kind",
    "currency",
    "amount",
    "fee",
    "available_change",
    "reserved_change",
    "available_balance",
    "reserved_balance",
    "payout",
    "attempt",
    "assignment",
    "deposit",
    "external_reference",
)

_PAGE_SIZE = 200


def print_statement(
    parent: str, *, currency: str, start: datetime | None, end: datetime | None
) -> int:
    """Times without a zone are UTC. Returns the exit code."""
    request = pb.ListStatementLinesRequest(
        parent=parent,
        page_size=_PAGE_SIZE,
        currency_code=currency,
        start_time=to_timestamp(start and start.replace(tzinfo=UTC)),
        end_time=to_timestamp(end and end.replace(tzinfo=UTC)),
    )

    async def command(channel: grpc.aio.Channel) -> int:
        sys.stdout.reconfigure(encoding="utf-8", newline="")  # type: ignore[union-attr]  # it is a file's
        await write_statement(StatementServiceStub(channel), request, sys.stdout)
        return 0

    return call_payouts(command)


async def write_statement(
    statements: "StatementServiceAsyncStub", request: pb.ListStatementLinesRequest, file: TextIO
) -> None:
    """Writes every page of `request` as CSV (RFC 4180) with a header; nothing if it is refused.
    `file` must not translate line ends."""
    writer = csv.writer(file, lineterminator="\r\n")
    has_header = False
    async for page in _pages(statements, request):
        if not has_header:
            writer.writerow(COLUMNS)
            has_header = True
        writer.writerows(map(row_of, page.lines))


async def _pages(
    statements: "StatementServiceAsyncStub", request: pb.ListStatementLinesRequest
) -> AsyncIterator[pb.ListStatementLinesResponse]:
    next_request = pb.ListStatementLinesRequest()
    next_request.CopyFrom(request)
    while True:
        page = await statements.ListStatementLines(next_request)
        yield page
        if not page.next_page_token:
            return
        next_request.page_token = page.next_page_token


def row_of(line: pb.StatementLine) -> list[str]:
    """The cells of COLUMNS; a field that the line lacks is empty."""
    funds = line.brand_funds if line.HasField("brand_funds") else None
    return [
        from_timestamp(line.post_time).isoformat(),
        pb.StatementLine.Kind.Name(line.kind).removeprefix("KIND_"),
        line.amount.currency_code,
        decimal(line.amount),
        decimal(line.fee) if line.HasField("fee") else "",
        decimal(funds.available_change) if funds else "",
        decimal(funds.reserved_change) if funds else "",
        decimal(funds.available_balance) if funds else "",
        decimal(funds.reserved_balance) if funds else "",
        text(line.payout),
        str(line.attempt) if line.attempt else "",
        text(line.assignment),
        text(line.deposit),
        text(line.external_reference),
    ]
