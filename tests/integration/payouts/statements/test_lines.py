"""Lines of brands' and creators' statements."""

import csv
import io
from datetime import timedelta

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from liaison.payouts.v1 import statements_pb2 as pb

from cli.payouts.statement import COLUMNS, row_of, write_statement
from devstack.access import Access
from servicekit.errors import Reason
from servicekit.pagination import Cursor, Page
from servicekit.postgres.database import Database
from servicekit.timestamps import from_timestamp, to_timestamp
from services.payouts.ledger.postings import Kind
from services.payouts.statements.handlers import ListStatementLines
from services.payouts.statements.store import brand_listing, creator_listing
from tests.integration.payouts.bulk_postings import fill, superuser
from tests.integration.payouts.harness import Harness, utc_now
from tests.integration.payouts.statements.support import (
    acme_request,
    kind_of,
    list_lines,
    minor_of,
    post_every_kind,
    statement_stub,
)
from tests.support.serving import refused

_TRANSFERS = 100_000


# Limit of 8 KiB blocks read for a page of 200 lines. Measured: 2,000 for a brand from the 50,000th
# transfer on (most of it the balance so far), 2,300 for a creator with 1,000 payouts.
_PAGE_BLOCKS = 3_000


async def test_each_party_sees_its_own_lines(harness: Harness) -> None:
    deposit = await post_every_kind(harness)
    brand = statement_stub(harness.served.as_brand("acme"))
    lines = await list_lines(brand, acme_request(page_size=2))
    seen = [
        (
            kind_of(line),
            line.payout.removeprefix("payouts/"),
            minor_of(line.amount),
            minor_of(line.fee),
            minor_of(line.brand_funds.available_balance),
            minor_of(line.brand_funds.reserved_balance),
        )
        for line in lines
    ]
    assert seen == [
        ("DEPOSIT", "", 100_000, 0, 100_000, 0),
        ("RESERVE", "p1", 0, 0, 89_800, 10_200),
        ("SETTLE", "p1", -10_200, 200, 89_800, 0),
        ("RESERVE", "p2", 0, 0, 79_600, 10_200),
        ("SETTLE", "p2", -10_200, 200, 79_600, 0),
        ("RETURN", "p2", 10_000, 0, 79_600, 10_000),
        ("RESERVE", "p3", 0, 0, 69_400, 20_200),
        ("REDUCE", "p3", 0, 0, 75_520, 14_080),
        ("RELEASE", "p3", 0, 0, 79_600, 10_000),
    ]
    assert (lines[0].deposit, lines[0].external_reference) == (deposit.name, "SEPA-1")
    assert (lines[2].assignment, lines[2].attempt) == ("assignments/p1", 1)
    assert minor_of(lines[1].brand_funds.available_change) == -10_200
    assert minor_of(lines[1].brand_funds.reserved_change) == 10_200
    assert seen[-1][4:] == await harness.funds()
    bob = pb.ListStatementLinesRequest(parent="creators/bob", page_size=1)
    bobs = await list_lines(statement_stub(harness.served.as_creator("bob")), bob)
    assert [(kind_of(line), line.payout, minor_of(line.amount)) for line in bobs] == [
        ("SETTLE", "payouts/p2", 10_000),
        ("RETURN", "payouts/p2", -10_000),
    ]
    assert not any(line.HasField("brand_funds") or line.HasField("fee") for line in bobs)


async def test_only_its_party_and_staff_read_a_statement(harness: Harness) -> None:
    await harness.deposit(1_000)
    anna = pb.ListStatementLinesRequest(parent="creators/anna")
    for stranger in (
        harness.served.as_brand("evil"),
        harness.served.as_brand("anna"),
        harness.served.as_creator("acme"),
    ):
        for request in (acme_request(), anna):
            with refused(Reason.NOT_YOURS):
                await statement_stub(stranger).ListStatementLines(request)
    for staff in (harness.served.as_operator(), harness.served.as_mediator()):
        assert len(await list_lines(statement_stub(staff), acme_request())) == 1
        assert await list_lines(statement_stub(staff), anna) == []
    with refused(Reason.ROLE_NOT_ALLOWED):
        await statement_stub(harness.served.as_platform()).ListStatementLines(acme_request())


async def test_a_narrowed_statement_has_the_full_balances(
    harness: Harness, database: Database
) -> None:
    for minor in (1_000, 2_000, 3_000):
        await harness.deposit(minor)
    operator = statement_stub(harness.served.as_operator())
    whole = await list_lines(operator, acme_request())
    middle = acme_request(start_time=whole[1].post_time, end_time=whole[2].post_time)
    assert await list_lines(operator, middle) == [whole[1]]
    assert minor_of(whole[1].brand_funds.available_balance) == 3_000
    assert (
        await list_lines(operator, acme_request(start_time=whole[1].post_time, page_size=1))
        == whole[1:]
    )
    assert await list_lines(operator, acme_request(currency_code="USD")) == whole
    assert await list_lines(operator, acme_request(currency_code="EUR")) == []


async def test_invalid_requests_are_refused_with_their_fields(harness: Harness) -> None:
    await harness.deposit(1_000)
    await harness.deposit(1_000)
    operator = statement_stub(harness.served.as_operator())
    page = await operator.ListStatementLines(acme_request(page_size=1))
    time = to_timestamp(from_timestamp(page.lines[0].post_time) - timedelta(days=1))
    for request, fields in (
        (pb.ListStatementLinesRequest(parent="tasks/acme"), ["parent"]),
        (acme_request(currency_code="XXX"), ["currency_code"]),
        (acme_request(page_size=-1), ["page_size"]),
        (acme_request(start_time=time, end_time=time), ["end_time"]),
        (
            acme_request(currency_code="usd", end_time=Timestamp(seconds=1)),
            ["currency_code", "end_time"],
        ),
        (acme_request(page_token="x"), ["page_token"]),  # noqa: S106  a page, no secret
        (acme_request(page_token=page.next_page_token, currency_code="USD"), ["page_token"]),
    ):
        with refused(Reason.INVALID_FIELDS, *fields):
            await operator.ListStatementLines(request)


async def test_the_whole_statement_is_written_as_csv(harness: Harness) -> None:
    for number in range(5):
        await harness.deposit(1_000, reference=f'=HYPERLINK("http://evil/{number}"),\u00fc')
    await harness.reserve("p1", minor=100)
    file = io.StringIO(newline="")
    operator = statement_stub(harness.served.as_operator())
    await write_statement(operator, acme_request(page_size=2), file)
    lines = await list_lines(operator, acme_request())
    assert file.getvalue().count("\r\n") == len(lines) + 1
    header, *rows = csv.reader(io.StringIO(file.getvalue(), newline=""))
    assert tuple(header) == COLUMNS
    assert rows == [row_of(line) for line in lines]
    assert rows[0][-1] == '\'=HYPERLINK("http://evil/0"),\u00fc'
    assert rows[-1][1:11] == (
        ["RESERVE", "USD", "0.00", "", "-1.02", "1.02", "48.98", "1.02", "payouts/p1", ""]
    )


async def test_a_refused_export_writes_nothing(harness: Harness) -> None:
    file = io.StringIO()
    with refused(Reason.INVALID_FIELDS, "currency_code"):
        await write_statement(
            statement_stub(harness.served.as_operator()), acme_request(currency_code="XXX"), file
        )
    assert file.getvalue() == ""


@pytest.mark.parametrize("party", ["brands/acme", "creators/anna"])
async def test_a_page_among_a_hundred_thousand_transfers_is_cheap(
    access: Access, database: Database, party: str
) -> None:
    async with superuser(access, database) as connection:
        await fill(connection, _TRANSFERS)
    wanted = ListStatementLines.model_validate({"parent": party})
    listing = brand_listing if wanted.party.brand else creator_listing
    for after in (None, Cursor(_TRANSFERS // 2, "")):
        statement, values = listing(wanted, Page(200, after, ""), utc_now())
        explained = await database.fetch_all(
            "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + statement, values
        )
        (root,) = explained[0]["QUERY PLAN"]
        blocks = root["Plan"]["Shared Hit Blocks"] + root["Plan"]["Shared Read Blocks"]
        assert blocks <= _PAGE_BLOCKS


def test_every_kind_of_transfer_is_in_the_api() -> None:
    words = {name.removeprefix("KIND_") for name in pb.StatementLine.Kind.keys()}  # noqa: SIM118  it is no dict
    assert words - {"UNSPECIFIED"} == set(Kind)
