"""Writes rows of payout p1 and its postings by plain SQL, to test the database's own
constraints."""

from collections.abc import Sequence

import psycopg
import pytest

from servicekit.postgres.database import Database

BRAND = [("brands/acme", "available", "USD"), ("brands/acme", "reserved", "USD")]
OTHERS = [("world", "deposits", "USD"), ("provider", "paypal", "USD"), ("world", "deposits", "EUR")]
Leg = tuple[str, str, int]


async def post(
    database: Database,
    key: str,
    kind: str,
    legs: Sequence[Leg],
    *,
    payout: str | None = None,
    attempt: int | None = None,
) -> None:
    async with database.transaction():
        row = await database.fetch_one(
            """
            INSERT INTO transfer (key, body_sha256, kind, payout_id, attempt_number)
            VALUES (%s, '', %s, %s, %s) RETURNING id
            """,
            (key, kind, payout, attempt),
        )
        assert row is not None
        for owner, account_kind, amount_minor in legs:
            await add_entry(database, row["id"], owner, account_kind, amount_minor)


async def add_entry(
    database: Database, transfer: int, owner: str, kind: str, minor: int, currency: str = "USD"
) -> None:
    await database.execute(
        """
        INSERT INTO entry (transfer_id, owner, kind, currency, amount_minor)
        VALUES (%s, %s, %s, %s, %s)
        """,
        (transfer, owner, kind, currency, minor),
    )


async def fund(database: Database, minor: int = 1000) -> None:
    await post(database, "d", "DEPOSIT", transfer_legs(("world", "deposits"), BRAND[0][:2], minor))


def transfer_legs(source: tuple[str, str], target: tuple[str, str], minor: int) -> list[Leg]:
    return [(*source, -minor), (*target, minor)]


async def reserve(database: Database, minor: int = 100, held: int = 102) -> None:
    await database.execute(
        """
        INSERT INTO payout (id, brand, creator, currency, reserved_amount_minor, amount_minor,
                            create_time)
        VALUES ('p1', 'acme', 'anna', 'USD', %(minor)s, %(minor)s, now())
        """,
        {"minor": minor},
    )
    await post(
        database,
        "r",
        "RESERVE",
        transfer_legs(("brands/acme", "available"), ("brands/acme", "reserved"), held),
        payout="p1",
    )


async def attempt(database: Database, number: int = 1, minor: int = 100) -> None:
    await database.execute(
        """
        INSERT INTO attempt (payout_id, number, state, receiver, amount_minor, provider,
                             sender_batch_id, create_time, update_time)
        VALUES ('p1', %(number)s, 'SENDING', 'anna@example.com', %(minor)s, 'PAYPAL',
                'po-p1-' || %(number)s, now(), now())
        """,
        {"number": number, "minor": minor},
    )


async def state_of(database: Database) -> str:
    row = await database.fetch_one("SELECT state FROM payout_now WHERE id = 'p1'")
    assert row is not None
    state: str = row["state"]
    return state


def refused_by(words: str) -> "pytest.RaisesExc[psycopg.Error]":
    return pytest.raises(psycopg.errors.IntegrityError, match=words)
