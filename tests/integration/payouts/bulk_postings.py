"""Writes to the ledger as a superuser, past its triggers: many rows, or rows that break rules."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg

from devstack.access import Access
from devstack.database import database_url
from servicekit.postgres.database import Database


@asynccontextmanager
async def superuser(access: Access, database: Database) -> AsyncIterator[psycopg.AsyncConnection]:
    """A connection to the same database, with triggers and foreign keys off."""
    row = await database.fetch_one("SELECT current_database() AS name, current_schema() AS schema")
    assert row is not None
    async with await psycopg.AsyncConnection.connect(
        database_url(access.administrator_url, row["name"]),
        options=f"-csearch_path={row['schema']} -csession_replication_role=replica",
        autocommit=True,
    ) as connection:
        yield connection


async def fill(connection: psycopg.AsyncConnection, transfers: int) -> None:
    """Adds that many transfers, one second apart: rewards reserved and paid, every second one by
    brands/acme and every fiftieth to creators/anna. Adds no accounts and no attempts."""
    await connection.execute(
        """
        INSERT INTO payout (id, brand, creator, currency, reserved_amount_minor, amount_minor,
                            create_time)
        SELECT 'p' || n, CASE n %% 2 WHEN 0 THEN 'acme' ELSE 'other' END,
               CASE n %% 50 WHEN 0 THEN 'anna' ELSE 'c' || n %% 50 END, 'USD', 100, 100,
               now() - (%(count)s - 2 * n) * interval '1 second'
          FROM generate_series(1, %(count)s / 2) AS n
        """,
        {"count": transfers},
    )
    await connection.execute(
        """
        INSERT INTO transfer (key, body_sha256, kind, payout_id, attempt_number, create_time)
        SELECT kind || p.id, '', kind, p.id, CASE kind WHEN 'SETTLE' THEN 1 END,
               p.create_time + CASE kind WHEN 'SETTLE' THEN interval '1 second' ELSE '0' END
          FROM payout p, unnest(ARRAY['RESERVE', 'SETTLE']) AS kind ORDER BY p.create_time, kind
        """
    )
    await connection.execute(
        """
        INSERT INTO entry (transfer_id, owner, kind, currency, amount_minor, create_time)
        SELECT t.id, replace(leg.owner, 'brand', 'brands/' || p.brand), leg.kind, 'USD', leg.minor,
               t.create_time
          FROM transfer t JOIN payout p ON p.id = t.payout_id
          JOIN (VALUES ('RESERVE', 'brand', 'available', -102),
                       ('RESERVE', 'brand', 'reserved', 102),
                       ('SETTLE', 'brand', 'reserved', -102), ('SETTLE', 'provider', 'paypal', 100),
                       ('SETTLE', 'fees', 'paypal', 2)) AS leg (of, owner, kind, minor)
            ON leg.of = t.kind
         ORDER BY t.id
        """
    )
    await connection.execute("VACUUM ANALYZE")
