"""gRPC service payouts.v1.StatementService."""

from typing import Any

from liaison.payouts.v1 import statements_pb2 as pb
from liaison.payouts.v1.statements_pb2_grpc import (
    StatementServiceServicer,
    add_StatementServiceServicer_to_server,
)

from servicekit.auth import Role, current_principal
from servicekit.commands import parse
from servicekit.pagination import Cursor, page_of
from servicekit.rpc.access import allow
from servicekit.rpc.server import Service
from servicekit.timestamps import to_timestamp
from services.payouts.statements.handlers import (
    BrandFunds,
    Line,
    ListStatementLines,
    StatementHandlers,
)

ACCESS = {
    "ListStatementLines": allow(Role.BRAND, Role.CREATOR, Role.MEDIATOR, Role.OPERATOR),
}


class StatementServicer(StatementServiceServicer):
    def __init__(self, statements: StatementHandlers) -> None:
        self._statements = statements

    async def ListStatementLines(
        self, request: pb.ListStatementLinesRequest, context: Any
    ) -> pb.ListStatementLinesResponse:
        command = parse(ListStatementLines, request)
        page = page_of(request.page_size, request.page_token, command, key=int)
        lines = await self._statements.list_lines(current_principal(), command, page)
        return pb.ListStatementLinesResponse(
            lines=map(to_line, lines),
            next_page_token=page.token_after(lines, lambda line: Cursor(line.transfer_id, "")),
        )


def service(statements: StatementHandlers) -> Service:
    return Service(
        pb.DESCRIPTOR.services_by_name["StatementService"],
        add_StatementServiceServicer_to_server,
        StatementServicer(statements),
        ACCESS,
    )


def to_line(line: Line) -> pb.StatementLine:
    return pb.StatementLine(
        kind=pb.StatementLine.Kind.Value(f"KIND_{line.kind}"),
        post_time=to_timestamp(line.post_time),
        amount=line.amount.to_message(),
        fee=line.fee.to_message() if line.fee else None,
        brand_funds=_to_funds(line.funds) if line.funds else None,
        deposit=line.deposit,
        external_reference=line.external_reference,
        payout=f"payouts/{line.payout_id}" if line.payout_id else "",
        assignment=f"assignments/{line.payout_id}" if line.payout_id else "",
        attempt=line.attempt_number,
    )


def _to_funds(funds: BrandFunds) -> pb.BrandFunds:
    return pb.BrandFunds(
        available_change=funds.available_change.to_message(),
        reserved_change=funds.reserved_change.to_message(),
        available_balance=funds.available_balance.to_message(),
        reserved_balance=funds.reserved_balance.to_message(),
    )
