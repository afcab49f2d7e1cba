"""`liaison payouts list`: one line per payout, of one state or of all."""

from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING

import grpc
import typer
from liaison.payouts.v1 import payouts_pb2 as pb
from liaison.payouts.v1.payouts_pb2_grpc import PayoutServiceStub

from cli.calls import call_payouts
from cli.lines import moment, plain
from servicekit.money import Money

if TYPE_CHECKING:  # the stub's async face is there for type checkers only
    from liaison.payouts.v1.payouts_pb2_grpc import PayoutServiceAsyncStub

_PAGE_SIZE = 200


def print_payouts(state: str, limit: int) -> int:
    """Payouts in `state`, such as BLOCKED; all if it is empty. Returns the exit code."""
    request = pb.ListPayoutsRequest(
        page_size=min(limit, _PAGE_SIZE),
        state=pb.Payout.State.Value(f"STATE_{state or 'UNSPECIFIED'}"),
    )

    async def command(channel: grpc.aio.Channel) -> int:
        remaining = limit
        async for page in _pages(PayoutServiceStub(channel), request):
            for line in lines_of(page.payouts[:remaining]):
                typer.echo(line)
            if remaining <= len(page.payouts):
                if remaining < len(page.payouts) or page.next_page_token:
                    typer.echo("There may be more; raise --limit to see them.", err=True)
                break
            remaining -= len(page.payouts)
        return 0

    return call_payouts(command)


def lines_of(payouts: Sequence[pb.Payout]) -> list[str]:
    """Columns: name, state, amount, creator, time of the last change, the latest error code."""
    rows = [_cells(payout) for payout in payouts]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _cells(payout: pb.Payout) -> tuple[str, ...]:
    state = pb.Payout.State.Name(payout.state).removeprefix("STATE_")
    return (
        payout.name,
        f"{state}, HELD" if payout.is_held else state,
        str(Money.from_message(payout.amount)),
        payout.creator,
        moment(payout.update_time),
        plain(payout.attempts[-1].error_code) if payout.attempts else "",
    )


async def _pages(
    payouts: "PayoutServiceAsyncStub", request: pb.ListPayoutsRequest
) -> AsyncIterator[pb.ListPayoutsResponse]:
    next_request = pb.ListPayoutsRequest()
    next_request.CopyFrom(request)
    while True:
        page = await payouts.ListPayouts(next_request)
        yield page
        if not page.next_page_token:
            return
        next_request.page_token = page.next_page_token
