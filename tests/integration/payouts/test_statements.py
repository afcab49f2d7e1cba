"""Statements through the real server: what each party sees of the ledger."""

import asyncio
import csv
import io
from datetime import timedelta
from typing import TYPE_CHECKING

import grpc
import psycopg
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from liaison.payouts.v1 import payouts_pb2
from liaison.payouts.v1 import statements_pb2 as pb
from liaison.payouts.v1.statements_pb2_grpc import StatementServiceStub

from cli.payouts.statement import COLUMNS, row_of, write_statement
from devstack.access import Access
from servicekit.errors import Reason
from servicekit.money import Money
from servicekit.pagination import Cursor, Page
from servicekit.postgres.database import Database
from servicekit.timestamps import from_timestamp, to_timestamp
from services.payouts.domain import Deposit
from services.payouts.ledger import postings
from services.payouts.ledger.postings import Kind
from services.payouts.ledger.store import PostgresLedger
from services.payouts.statements.handlers import ListStatementLines
from services.payouts.statements.store import PostgresStatementStore, brand_listing, creator_listing
from tests.integration.payouts.bulk import fill, superuser
from tests.integration.payouts.harness import Harness, usd, utc_now
from tests.integration.payouts.tampering import change_item
from tests.support.serving import refused

if TYPE_CHECKING:  # the stub's async face is there for type checkers only
    from liaison.payouts.v1.statements_pb2_grpc import StatementServiceAsyncStub

_TRANSFERS = 100_000
_POSTED_BY_EACH = 50
# Of 8 KiB: what a page of 200 lines may read. Measured: 2,000 for a brand from the 50,000th
# transfer on (most of it the balance so far), 2,300 for a creator with 1,000 payouts.
_PAGE_BLOCKS = 3_000


def _statements(channel: grpc.aio.Channel) -> "StatementServiceAsyncStub":
    return StatementServiceStub(channel)


def _acme(**fields: object) -> pb.ListStatementLinesRequest:
    return pb.ListStatementLinesRequest(parent="brands/acme", **fields)  # type: ignore[arg-type]  # a test's own


async def _lines(
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


def _kind(line: pb.StatementLine) -> str:
    return pb.StatementLine.Kind.Name(line.kind).removeprefix("KIND_")


def _minor(money: object) -> int:
    return Money.from_message(money).amount_minor  # type: ignore[arg-type]  # of a message of ours


async def _live(harness: Harness) -> payouts_pb2.Deposit:
    """A deposit, a reward paid, one that came back after that, one lowered and released."""
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


async def test_each_party_sees_what_moved_for_it(harness: Harness) -> None:
    deposit = await _live(harness)
    brand = _statements(harness.served.as_brand("acme"))
    lines = await _lines(brand, _acme(page_size=2))
    seen = [
        (
            _kind(line),
            line.payout.removeprefix("payouts/"),
            _minor(line.amount),
            _minor(line.fee),
            _minor(line.brand_funds.available_balance),
            _minor(line.brand_funds.reserved_balance),
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
    assert _minor(lines[1].brand_funds.available_change) == -10_200
    assert _minor(lines[1].brand_funds.reserved_change) == 10_200
    assert seen[-1][4:] == await harness.funds()
    bob = pb.ListStatementLinesRequest(parent="creators/bob", page_size=1)
    bobs = await _lines(_statements(harness.served.as_creator("bob")), bob)
    assert [(_kind(line), line.payout, _minor(line.amount)) for line in bobs] == [
        ("SETTLE", "payouts/p2", 10_000),
        ("RETURN", "payouts/p2", -10_000),
    ]
    assert not any(line.HasField("brand_funds") or line.HasField("fee") for line in bobs)


async def test_a_statement_is_its_partys_and_staffs_only(harness: Harness) -> None:
    await harness.deposit(1_000)
    anna = pb.ListStatementLinesRequest(parent="creators/anna")
    for stranger in (
        harness.served.as_brand("evil"),
        harness.served.as_brand("anna"),
        harness.served.as_creator("acme"),
    ):
        for request in (_acme(), anna):
            with refused(Reason.NOT_YOURS):
                await _statements(stranger).ListStatementLines(request)
    for staff in (harness.served.as_operator(), harness.served.as_mediator()):
        assert len(await _lines(_statements(staff), _acme())) == 1
        assert await _lines(_statements(staff), anna) == []
    with refused(Reason.ROLE_NOT_ALLOWED):
        await _statements(harness.served.as_platform()).ListStatementLines(_acme())


async def test_a_statement_is_narrowed_and_its_balances_stay_whole(
    harness: Harness, database: Database
) -> None:
    for minor in (1_000, 2_000, 3_000):
        await harness.deposit(minor)
    operator = _statements(harness.served.as_operator())
    whole = await _lines(operator, _acme())
    middle = _acme(start_time=whole[1].post_time, end_time=whole[2].post_time)
    assert await _lines(operator, middle) == [whole[1]]
    assert _minor(whole[1].brand_funds.available_balance) == 3_000
    assert await _lines(operator, _acme(start_time=whole[1].post_time, page_size=1)) == whole[1:]
    assert await _lines(operator, _acme(currency_code="USD")) == whole
    assert await _lines(operator, _acme(currency_code="EUR")) == []


async def test_not_even_the_owner_changes_the_time_of_an_entry(
    harness: Harness, owner: Database
) -> None:
    await harness.deposit(1_000)
    with pytest.raises(psycopg.errors.IntegrityError, match="only added to"):
        await owner.execute("UPDATE entry SET create_time = now()")


async def test_bad_questions_are_refused_with_their_fields(harness: Harness) -> None:
    await harness.deposit(1_000)
    await harness.deposit(1_000)
    operator = _statements(harness.served.as_operator())
    page = await operator.ListStatementLines(_acme(page_size=1))
    time = to_timestamp(from_timestamp(page.lines[0].post_time) - timedelta(days=1))
    for request, fields in (
        (pb.ListStatementLinesRequest(parent="tasks/acme"), ["parent"]),
        (_acme(currency_code="XXX"), ["currency_code"]),
        (_acme(page_size=-1), ["page_size"]),
        (_acme(start_time=time, end_time=time), ["end_time"]),
        (_acme(currency_code="usd", end_time=Timestamp(seconds=1)), ["currency_code", "end_time"]),
        (_acme(page_token="x"), ["page_token"]),  # noqa: S106  a page, no secret
        (_acme(page_token=page.next_page_token, currency_code="USD"), ["page_token"]),
    ):
        with refused(Reason.INVALID_FIELDS, *fields):
            await operator.ListStatementLines(request)


async def test_the_whole_statement_is_written_as_csv(harness: Harness) -> None:
    for number in range(5):
        await harness.deposit(1_000, reference=f'=HYPERLINK("http://evil/{number}"),\u00fc')
    await harness.reserve("p1", minor=100)
    file = io.StringIO(newline="")
    operator = _statements(harness.served.as_operator())
    await write_statement(operator, _acme(page_size=2), file)
    lines = await _lines(operator, _acme())
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
            _statements(harness.served.as_operator()), _acme(currency_code="XXX"), file
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


async def _late(connection: psycopg.AsyncConnection) -> int:
    """Posts a deposit for acme, all but its entries and its end; answers with the transfer's id."""
    rows = await connection.execute(
        "INSERT INTO transfer (key, body_sha256, kind) VALUES ('late', '', 'DEPOSIT') RETURNING id"
    )
    row = await rows.fetchone()
    assert row is not None
    return int(row[0])


async def _end(connection: psycopg.AsyncConnection, transfer: int) -> None:
    await connection.execute(
        """
        INSERT INTO entry (transfer_id, owner, kind, currency, amount_minor)
        VALUES (%(id)s, 'world', 'deposits', 'USD', -7),
               (%(id)s, 'brands/acme', 'available', 'USD', 7)
        """,
        {"id": transfer},
    )
    await connection.commit()


async def test_what_commits_late_is_behind_no_page_that_was_read(
    harness: Harness, database_url: str
) -> None:
    """It was posted before another that committed first: that one waits to be shown."""
    operator = _statements(harness.served.as_operator())
    await harness.deposit(1_000)
    async with await psycopg.AsyncConnection.connect(database_url) as late:
        transfer = await _late(late)
        await harness.deposit(2_000)
        await harness.deposit(3_000, brand="other")
        page = await operator.ListStatementLines(_acme(page_size=1))
        assert [_minor(line.amount) for line in page.lines] == [1_000]
        other = pb.ListStatementLinesRequest(parent="brands/other")
        assert not await _lines(operator, other)
        token = page.next_page_token
        assert not await _lines(operator, _acme(page_size=1, page_token=token))
        await _end(late, transfer)
    rest = await _lines(operator, _acme(page_size=1, page_token=token))
    assert [_minor(line.amount) for line in rest] == [7, 2_000]
    assert [_minor(line.brand_funds.available_balance) for line in rest] == [1_007, 3_007]
    assert len(await _lines(operator, other)) == 1


async def test_who_only_began_early_is_posted_after_what_was_read(
    harness: Harness, database_url: str
) -> None:
    operator = _statements(harness.served.as_operator())
    async with await psycopg.AsyncConnection.connect(database_url) as late:
        await late.execute("SELECT")
        await harness.deposit(1_000)
        page = await operator.ListStatementLines(_acme(page_size=1))
        assert [_minor(line.amount) for line in page.lines] == [1_000]
        await _end(late, await _late(late))
    rest = await _lines(operator, _acme(page_size=1, page_token=page.next_page_token))
    assert [_minor(line.amount) for line in rest] == [7]


async def test_a_time_that_has_ended_is_whole_or_not_told(
    harness: Harness, database_url: str
) -> None:
    """An export of last month lacks nothing for ever, however early it is asked for."""
    operator = _statements(harness.served.as_operator())
    await harness.deposit(1_000)
    async with await psycopg.AsyncConnection.connect(database_url) as late:
        transfer = await _late(late)
        until_now = to_timestamp(utc_now())
        with refused(Reason.DEPENDENCY_UNAVAILABLE):
            await operator.ListStatementLines(_acme(end_time=until_now))
        full = await operator.ListStatementLines(_acme(end_time=until_now, page_size=1))
        assert len(full.lines) == 1
        before = full.lines[0].post_time
        assert not await _lines(operator, _acme(end_time=before))
        later = to_timestamp(utc_now() + timedelta(days=1))
        assert len(await _lines(operator, _acme(end_time=later))) == 1
        await _end(late, transfer)
    whole = await _lines(operator, _acme(end_time=until_now))
    assert [_minor(line.amount) for line in whole] == [1_000, 7]


async def test_who_is_undone_holds_nothing_back(harness: Harness, database_url: str) -> None:
    operator = _statements(harness.served.as_operator())
    async with await psycopg.AsyncConnection.connect(database_url) as late:
        await _late(late)
        await harness.deposit(1_000)
        assert not await _lines(operator, _acme())
        await late.rollback()
    assert len(await _lines(operator, _acme())) == 1


async def test_a_clock_that_was_set_back_posts_nothing_behind(
    access: Access, harness: Harness, database: Database
) -> None:
    await harness.deposit(1_000)
    async with superuser(access, database) as connection:
        await connection.execute("UPDATE transfer SET create_time = create_time + interval '1 h'")
        await connection.execute("UPDATE entry SET create_time = create_time + interval '1 h'")
    await harness.deposit(2_000)
    await harness.deposit(3_000)
    lines = await _lines(_statements(harness.served.as_operator()), _acme(page_size=1))
    assert [_minor(line.amount) for line in lines] == [1_000, 2_000, 3_000]


async def test_who_reads_while_many_post_reads_every_line_once(
    harness: Harness, database: Database, database_url: str
) -> None:
    """What was read, page after page, is the statement as it is at last."""
    ledger = PostgresLedger(database)
    store = PostgresStatementStore(database)
    wanted = ListStatementLines.model_validate({"parent": "brands/acme"})
    are_posting = True

    async def post(worker: int) -> None:
        for number in range(_POSTED_BY_EACH):
            id_ = f"{worker}-{number}"
            # Some begin early and post after others that began later.
            async with database.transaction():
                await database.fetch_one("SELECT")
                await asyncio.sleep(0)
                await ledger.post(
                    postings.deposit(Deposit(id_, "acme", Money("USD", 1), utc_now()))
                )

    async def read() -> list[int]:
        seen: list[int] = []
        is_last = False
        while not is_last:
            is_last = not are_posting
            after = Cursor(seen[-1], "") if seen else None
            while lines := await store.brand_lines(wanted, Page(7, after, "")):
                seen += [line.transfer_id for line in lines]
                after = Cursor(seen[-1], "")
        return seen

    reading = asyncio.create_task(read())
    await asyncio.gather(*(post(worker) for worker in range(6)))
    are_posting = False
    rows = await database.fetch_all("SELECT id FROM transfer ORDER BY create_time, id")
    assert len(rows) == 6 * _POSTED_BY_EACH
    assert await reading == [row["id"] for row in rows]


def test_every_kind_has_its_word_in_the_api() -> None:
    words = {name.removeprefix("KIND_") for name in pb.StatementLine.Kind.keys()}  # noqa: SIM118  it is no dict
    assert words - {"UNSPECIFIED"} == set(Kind)
