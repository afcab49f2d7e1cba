"""Calls and data of the tests of statements."""

from typing import TYPE_CHECKING

import grpc
from liaison.payouts.v1 import payouts_pb2
from liaison.payouts.v1 import statements_pb2 as pb
from liaison.payouts.v1.statements_pb2_grpc import StatementServiceStub

from servicekit.money import Money
from tests.integration.payouts.harness import Harness, usd
from tests.integration.payouts.sandbox_admin import change_item

if TYPE_CHECKING:  # the stub's async face is there for type checkers only
    from liaison.payouts.v1.statements_pb2_grpc import StatementServiceAsyncStub


def statement_stub(channel: grpc.aio.Channel) -> "StatementServiceAsyncStub":
    return StatementServiceStub(channel)


def acme_request(**fields: object) -> pb.ListStatementLinesRequest:
    return pb.ListStatementLinesRequest(parent="brands/acme", **fields)  # type: ignore[arg-type]  # a test's own


async def list_lines(
    stub: "StatementServiceAsyncStub", request: pb.ListStatementLinesRequest
) -> list[pb.StatementLine]:
    """All pages."""
    lines: list[pb.StatementLine] = []
    while True:
        page = await stub.ListStatementLines(request)
        lines += page.lines
        if not page.next_page_token:
            return lines
        request.page_token = page.next_page_token


def kind_of(line: pb.StatementLine) -> str:
    return pb.StatementLine.Kind.Name(line.kind).removeprefix("KIND_")


def minor_of(money: object) -> int:
    return Money.from_message(money).amount_minor  # type: ignore[arg-type]  # of a message of ours


async def post_every_kind(harness: Harness) -> payouts_pb2.Deposit:
    """A deposit, and rewards that are paid, paid and reversed, and reduced and released."""
    deposit = await harness.deposit(100_000, reference="SEPA-1")
    await harness.creator("anna", "anna@example.com")
    await harness.creator("bob", "reversed@example.com")
    await harness.reserve("p1")
    await harness.send("p1")
    await harness.until("p1", payouts_pb2.Payout.STATE_PAID)
    await harness.reserve("p2", creator="bob")
    await harness.send("p2")
    await harness.until("p2", payouts_pb2.Payout.STATE_PAID)
    await change_item(harness, "p2", "REVERSED")
    await harness.until("p2", payouts_pb2.Payout.STATE_FAILED)
    await harness.reserve("p3", creator="bob")
    await harness.worker.ReduceReward(
        payouts_pb2.ReduceRewardRequest(name="payouts/p3", amount=usd(4_000))
    )
    await harness.worker.ReleaseReward(payouts_pb2.ReleaseRewardRequest(name="payouts/p3"))
    return deposit
