"""Statements skip nothing while others post."""

import asyncio
from datetime import timedelta

import psycopg
import pytest
from liaison.payouts.v1 import statements_pb2 as pb

from devstack.access import Access
from servicekit.errors import Reason
from servicekit.money import Money
from servicekit.pagination import Cursor, Page
from servicekit.postgres.database import Database
from servicekit.timestamps import to_timestamp
from services.payouts.domain import Deposit
from services.payouts.ledger import postings
from services.payouts.ledger.store import LedgerStore
from services.payouts.statements.handlers import ListStatementLines
from services.payouts.statements.store import StatementStore
from tests.integration.payouts.bulk_postings import superuser
from tests.integration.payouts.harness import Harness, utc_now
from tests.integration.payouts.statements.support import (
    acme_request,
    list_lines,
    minor_of,
    statement_stub,
)
from tests.support.serving import refused

_POSTED_BY_EACH = 50


async def test_not_even_the_owner_can_change_an_entrys_time(
    harness: Harness, owner: Database
) -> None:
    await harness.deposit(1_000)
    with pytest.raises(psycopg.errors.IntegrityError, match="only added to"):
        await owner.execute("UPDATE entry SET create_time = now()")


async def _begin_deposit(connection: psycopg.AsyncConnection) -> int:
    """Inserts a deposit's transfer without its entries, in an open transaction; returns its id."""
    rows = await connection.execute(
        "INSERT INTO transfer (key, body_sha256, kind) VALUES ('late', '', 'DEPOSIT') RETURNING id"
    )
    row = await rows.fetchone()
    assert row is not None
    return int(row[0])


async def _complete_deposit(connection: psycopg.AsyncConnection, transfer: int) -> None:
    await connection.execute(
        """
        INSERT INTO entry (transfer_id, owner, kind, currency, amount_minor)
        VALUES (%(id)s, 'world', 'deposits', 'USD', -7),
               (%(id)s, 'brands/acme', 'available', 'USD', 7)
        """,
        {"id": transfer},
    )
    await connection.commit()


async def test_a_late_commit_is_not_behind_a_page_that_was_read(
    harness: Harness, database_url: str
) -> None:
    """A transfer posted later but committed first is listed only after the earlier one."""
    operator = statement_stub(harness.served.as_operator())
    await harness.deposit(1_000)
    async with await psycopg.AsyncConnection.connect(database_url) as late:
        transfer = await _begin_deposit(late)
        await harness.deposit(2_000)
        await harness.deposit(3_000, brand="other")
        page = await operator.ListStatementLines(acme_request(page_size=1))
        assert [minor_of(line.amount) for line in page.lines] == [1_000]
        other = pb.ListStatementLinesRequest(parent="brands/other")
        assert not await list_lines(operator, other)
        token = page.next_page_token
        assert not await list_lines(operator, acme_request(page_size=1, page_token=token))
        await _complete_deposit(late, transfer)
    rest = await list_lines(operator, acme_request(page_size=1, page_token=token))
    assert [minor_of(line.amount) for line in rest] == [7, 2_000]
    assert [minor_of(line.brand_funds.available_balance) for line in rest] == [1_007, 3_007]
    assert len(await list_lines(operator, other)) == 1


async def test_a_transaction_that_began_early_posts_after_lines_that_were_read(
    harness: Harness, database_url: str
) -> None:
    operator = statement_stub(harness.served.as_operator())
    async with await psycopg.AsyncConnection.connect(database_url) as late:
        await late.execute("SELECT")
        await harness.deposit(1_000)
        page = await operator.ListStatementLines(acme_request(page_size=1))
        assert [minor_of(line.amount) for line in page.lines] == [1_000]
        await _complete_deposit(late, await _begin_deposit(late))
    rest = await list_lines(operator, acme_request(page_size=1, page_token=page.next_page_token))
    assert [minor_of(line.amount) for line in rest] == [7]


async def test_a_past_period_is_complete_or_unavailable(
    harness: Harness, database_url: str
) -> None:
    """An export of a past period is complete however early it is requested, or it is refused."""
    operator = statement_stub(harness.served.as_operator())
    await harness.deposit(1_000)
    async with await psycopg.AsyncConnection.connect(database_url) as late:
        transfer = await _begin_deposit(late)
        until_now = to_timestamp(utc_now())
        with refused(Reason.DEPENDENCY_UNAVAILABLE):
            await operator.ListStatementLines(acme_request(end_time=until_now))
        full = await operator.ListStatementLines(acme_request(end_time=until_now, page_size=1))
        assert len(full.lines) == 1
        before = full.lines[0].post_time
        assert not await list_lines(operator, acme_request(end_time=before))
        later = to_timestamp(utc_now() + timedelta(days=1))
        assert len(await list_lines(operator, acme_request(end_time=later))) == 1
        await _complete_deposit(late, transfer)
    whole = await list_lines(operator, acme_request(end_time=until_now))
    assert [minor_of(line.amount) for line in whole] == [1_000, 7]


async def test_a_rolled_back_transaction_holds_nothing_back(
    harness: Harness, database_url: str
) -> None:
    operator = statement_stub(harness.served.as_operator())
    async with await psycopg.AsyncConnection.connect(database_url) as late:
        await _begin_deposit(late)
        await harness.deposit(1_000)
        assert not await list_lines(operator, acme_request())
        await late.rollback()
    assert len(await list_lines(operator, acme_request())) == 1


async def test_a_clock_that_is_set_back_posts_no_earlier_line(
    access: Access, harness: Harness, database: Database
) -> None:
    await harness.deposit(1_000)
    async with superuser(access, database) as connection:
        await connection.execute("UPDATE transfer SET create_time = create_time + interval '1 h'")
        await connection.execute("UPDATE entry SET create_time = create_time + interval '1 h'")
    await harness.deposit(2_000)
    await harness.deposit(3_000)
    lines = await list_lines(
        statement_stub(harness.served.as_operator()), acme_request(page_size=1)
    )
    assert [minor_of(line.amount) for line in lines] == [1_000, 2_000, 3_000]


async def test_a_reader_sees_every_line_once_while_others_post(
    harness: Harness, database: Database, database_url: str
) -> None:
    """The pages read meanwhile equal the final statement."""
    ledger = LedgerStore(database)
    store = StatementStore(database)
    wanted = ListStatementLines.model_validate({"parent": "brands/acme"})
    are_posting = True

    async def post(worker: int) -> None:
        for number in range(_POSTED_BY_EACH):
            id_ = f"{worker}-{number}"
            # Some transactions begin early and post after others that began later.
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
