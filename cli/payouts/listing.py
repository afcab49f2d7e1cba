"""`liaison payout list`: payouts of one state, or of any, a line each."""

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
    """Those of `state`, such as `blocked`, or all where it is empty. Answers with the exit code."""
    request = pb.ListPayoutsRequest(
        page_size=min(limit, _PAGE_SIZE),
        state=pb.Payout.State.Value(f"STATE_{state.upper() or 'UNSPECIFIED'}"),
    )

    async def command(channel: grpc.aio.Channel) -> int:
        left = limit
        async for page in _pages(PayoutServiceStub(channel), request):
            for line in lines_of(page.payouts[:left]):
                typer.echo(line)
            if left <= len(page.payouts):
                if left < len(page.payouts) or page.next_page_token:
                    typer.echo("There may be more: --limit", err=True)
                break
            left -= len(page.payouts)
        return 0

    return call_payouts(command)


def lines_of(payouts: Sequence[pb.Payout]) -> list[str]:
    """Name, state, amount, creator, since when, and the latest attempt's error; in columns."""
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
    wanted = pb.ListPayoutsRequest()
    wanted.CopyFrom(request)
    while True:
        page = await payouts.ListPayouts(wanted)
        yield page
        if not page.next_page_token:
            return
        wanted.page_token = page.next_page_token
