"""Constraints of the ledger that hold even for the owner of its schema. What the service's login
may not do besides is in `test_privileges`."""

import pytest

from servicekit.postgres.database import Database
from tests.integration.payouts.ledger.direct_writes import (
    BRAND,
    OTHERS,
    Leg,
    add_entry,
    attempt,
    fund,
    post,
    refused_by,
    reserve,
    state_of,
    transfer_legs,
)


@pytest.fixture
async def database(owner: Database) -> Database:
    return owner


@pytest.fixture(autouse=True)
async def accounts(database: Database) -> None:
    for owner, kind, currency in [*BRAND, *OTHERS]:
        await database.execute(
            "INSERT INTO account (owner, kind, currency) VALUES (%s, %s, %s)",
            (owner, kind, currency),
        )


async def test_a_transfer_sums_to_zero(database: Database) -> None:
    with refused_by("does not sum to zero in USD"):
        await post(
            database,
            "d",
            "DEPOSIT",
            [("world", "deposits", -10), ("brands/acme", "available", 11)],
        )


async def test_each_currency_sums_to_zero_separately(database: Database) -> None:
    with refused_by("does not sum to zero in EUR, USD"):
        async with database.transaction():
            row = await database.fetch_one(
                "INSERT INTO transfer (key, body_sha256, kind) VALUES ('d', '', 'DEPOSIT')"
                " RETURNING id"
            )
            assert row is not None
            await add_entry(database, row["id"], "world", "deposits", -10, "EUR")
            await add_entry(database, row["id"], "brands/acme", "available", 10)


@pytest.mark.parametrize("legs", [[], [("world", "deposits", 10)]])
async def test_a_transfer_has_at_least_two_entries(database: Database, legs: list[Leg]) -> None:
    with refused_by("fewer than two entries"):
        await post(database, "d", "DEPOSIT", legs)


async def test_a_zero_entry_is_refused(database: Database) -> None:
    with refused_by("amount_minor"):
        await post(database, "d", "DEPOSIT", transfer_legs(("world", "deposits"), BRAND[0][:2], 0))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE entry SET amount_minor = amount_minor * 2",
        "DELETE FROM entry",
        "TRUNCATE entry",
        "UPDATE transfer SET kind = 'RESERVE'",
        "DELETE FROM transfer",
        "TRUNCATE transfer CASCADE",
        "UPDATE account SET balance_minor = balance_minor + 1",
        "DELETE FROM account",
        "TRUNCATE account CASCADE",
        "DELETE FROM provider",
        "TRUNCATE provider CASCADE",
    ],
)
async def test_postings_cannot_be_changed(database: Database, statement: str) -> None:
    await fund(database)
    with refused_by("the ledger is only added to"):
        await database.execute(statement)


async def test_a_committed_transfer_takes_no_entry(database: Database) -> None:
    await fund(database)
    row = await database.fetch_one("SELECT id FROM transfer")
    assert row is not None
    with refused_by("is closed"):
        await add_entry(database, row["id"], "provider", "paypal", 5)


async def test_an_account_opens_empty(database: Database) -> None:
    await database.execute(
        "INSERT INTO account (owner, kind, currency, balance_minor)"
        " VALUES ('brands/rich', 'available', 'USD', 1000000)"
    )
    row = await database.fetch_one("SELECT balance_minor FROM account WHERE owner = 'brands/rich'")
    assert row == {"balance_minor": 0}


async def test_a_brand_is_never_overdrawn(database: Database) -> None:
    await fund(database, 100)
    with refused_by("account_is_not_overdrawn"):
        await reserve(database, 100, 102)
    with refused_by("account_is_not_overdrawn"):
        await post(
            database,
            "x",
            "DEPOSIT",
            transfer_legs(("brands/acme", "reserved"), ("brands/acme", "available"), 1),
        )


async def test_a_key_is_posted_once(database: Database) -> None:
    await fund(database)
    with refused_by("transfer_key_key"):
        await fund(database)


async def test_a_payout_has_one_open_attempt(database: Database) -> None:
    await fund(database)
    await reserve(database)
    await attempt(database, 1)
    with refused_by("attempt_of_one_payout_is_open_alone"):
        await attempt(database, 2)
    await database.execute("UPDATE attempt SET state = 'FAILED'")
    assert await state_of(database) == "FAILED"
    await attempt(database, 2)
    with refused_by("cannot be changed like this"):
        await database.execute("UPDATE attempt SET state = 'SENDING' WHERE number = 1")


async def test_an_attempt_has_the_reserved_amount_and_the_next_number(database: Database) -> None:
    await fund(database)
    await reserve(database)
    with refused_by("is not what is reserved"):
        await attempt(database, 1, 101)
    with refused_by("not the next one"):
        await attempt(database, 2)


@pytest.mark.parametrize(("paid", "fee"), [(99, 3), (101, 1), (100, 1), (100, 3)])
async def test_a_settlement_uses_exactly_the_reservation(
    database: Database, paid: int, fee: int
) -> None:
    await fund(database)
    await reserve(database, 100, 102)
    await attempt(database)
    await database.execute(
        "INSERT INTO account (owner, kind, currency) VALUES ('fees', 'paypal', 'USD')"
    )
    legs = [
        ("brands/acme", "reserved", -paid - fee),
        ("provider", "paypal", paid),
        ("fees", "paypal", fee),
    ]
    with refused_by("leaves|pays out|overdrawn"):
        async with database.transaction():
            await database.execute("UPDATE attempt SET state = 'PAID'")
            await post(database, "s", "SETTLE", legs, payout="p1", attempt=1)


async def test_a_settlement_uses_only_its_payouts_reservation(database: Database) -> None:
    """Another payout's reservation lies on the same account."""
    await fund(database)
    await reserve(database)
    await attempt(database)
    legs = transfer_legs(("brands/acme", "reserved"), ("provider", "paypal"), 100)
    with refused_by("leaves 2 reserved"):
        async with database.transaction():
            await database.execute("UPDATE attempt SET state = 'PAID'")
            await post(database, "s", "SETTLE", legs, payout="p1", attempt=1)


async def test_another_brand_never_pays(database: Database) -> None:
    await fund(database)
    await reserve(database)
    await database.execute(
        "INSERT INTO account (owner, kind, currency) VALUES ('brands/evil', 'available', 'USD')"
    )
    legs = transfer_legs(("brands/acme", "reserved"), ("brands/evil", "available"), 102)
    with refused_by("not paid from"):
        await post(database, "x", "RELEASE", legs, payout="p1")


async def test_a_paid_attempt_needs_its_settlement(database: Database) -> None:
    await fund(database)
    await reserve(database, 100, 100)
    await attempt(database)
    with refused_by("is not what the ledger says"):
        await database.execute("UPDATE attempt SET state = 'PAID'")
    legs = transfer_legs(("brands/acme", "reserved"), ("provider", "paypal"), 100)
    with refused_by("the ledger says otherwise"):
        await post(database, "s", "SETTLE", legs, payout="p1", attempt=1)
    async with database.transaction():
        await database.execute("UPDATE attempt SET state = 'PAID'")
        await post(database, "s", "SETTLE", legs, payout="p1", attempt=1)
    assert await state_of(database) == "PAID"


async def test_a_payout_can_only_be_lowered_between_attempts(database: Database) -> None:
    await fund(database)
    await reserve(database)
    with refused_by("can only be lowered"):
        await database.execute("UPDATE payout SET creator = 'eve'")
    with refused_by("can only be lowered"):
        await database.execute("UPDATE payout SET amount_minor = amount_minor + 1")
    await attempt(database)
    with refused_by("is under way"):
        await database.execute("UPDATE payout SET amount_minor = 50")
    with refused_by("only added to"):
        await database.execute("DELETE FROM payout")
