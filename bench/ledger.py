"""Rate of transfers posted to the ledger, relative to transactions that only insert three rows,
on the same connections and database.

Both write three rows. A transfer has two entries, a unique key, running balances and checks at
commit; the baseline inserts into a table without constraints, one statement per row. The
two alternate.
"""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from uuid import uuid4

from devstack.access import Access
from servicekit.clock import utc_now
from servicekit.money import Money
from servicekit.postgres.database import Database
from services.payouts.domain import Deposit
from services.payouts.ledger import postings
from services.payouts.ledger.postings import Transfer
from services.payouts.ledger.store import LedgerStore

_AT_ONCE = 8
_BRANDS = 50
_TRANSFERS = 600
_RUNS = 5

CREATOR = "bench"
REWARD = Money("USD", 10_00)

Write = Callable[[], Awaitable[object]]


async def ledger_ratio(access: Access) -> float:
    async with (
        Database(access.service_url("payouts"), pool_size=_AT_ONCE) as database,
        Database(access.owner_url("payouts"), pool_size=1) as owner,
    ):
        ledger = LedgerStore(database)
        await owner.execute(
            "CREATE TABLE bench_row (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,"
            " name text NOT NULL, amount_minor bigint NOT NULL)"
        )
        try:
            ratios = [await _ratio(database, ledger) for _ in range(1 + _RUNS)]
        finally:
            await owner.execute("DROP TABLE bench_row")
    return statistics.median(ratios[1:])  # the first warms up


async def _ratio(database: Database, ledger: LedgerStore) -> float:
    transfers = iter(await reservations(ledger, database, _TRANSFERS))
    ours = await _rate(lambda: ledger.post(next(transfers)))
    return ours / await _rate(lambda: _insert_rows(database))


async def reservations(ledger: LedgerStore, database: Database, count: int) -> list[Transfer]:
    """Reservations of `count` rewards of CREATOR, not posted yet, by brands with enough funds."""
    run = uuid4().hex[:12]
    funds = Money(REWARD.currency, count * postings.hold_minor(REWARD))
    brands = [f"{run}-{number}" for number in range(_BRANDS)]
    for brand in brands:
        await ledger.post(postings.deposit(Deposit(brand, brand, funds, utc_now())))
    rewards = [(f"{run}-{number}", brands[number % _BRANDS]) for number in range(count)]
    await database.execute(
        """
        INSERT INTO payout (id, brand, creator, currency, reserved_amount_minor, amount_minor,
                            create_time)
        SELECT id, brand, %(creator)s, %(currency)s, %(minor)s, %(minor)s, now()
          FROM unnest(%(ids)s::text[], %(brands)s::text[]) AS reward (id, brand)
        """,
        {
            "creator": CREATOR,
            "currency": REWARD.currency,
            "minor": REWARD.amount_minor,
            "ids": [id_ for id_, _ in rewards],
            "brands": [brand for _, brand in rewards],
        },
    )
    return [postings.reserve(id_, brand, REWARD) for id_, brand in rewards]


async def _insert_rows(database: Database) -> None:
    async with database.transaction():
        for name in ("transfer", "entry", "entry"):
            await database.execute(
                "INSERT INTO bench_row (name, amount_minor) VALUES (%s, %s)",
                (name, REWARD.amount_minor),
            )


async def _rate(write: Write) -> float:
    """Writes per second with _AT_ONCE concurrent writers."""
    left = iter(range(_TRANSFERS))

    async def work() -> None:
        for _ in left:
            await write()

    started = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(_AT_ONCE)))
    return _TRANSFERS / (time.perf_counter() - started)
