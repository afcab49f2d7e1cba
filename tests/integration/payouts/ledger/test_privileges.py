"""Privileges of the service's login in its database, and of other logins: none."""

import asyncio
import os
import signal
import sys
from importlib.resources import files

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from devstack.access import Access
from devstack.database import database_url as administrator_url
from servicekit.postgres.database import Database
from servicekit.postgres.migrator import migrate
from tests.integration.payouts.harness import Harness
from tests.integration.payouts.process_control import environment_of, logged_address, start
from tests.support.databases import Databases

# Columns of existing rows that the service's login may change.
CHANGEABLE = {
    "account": {"currency"},
    "payout": {"amount_minor"},
    "deposit": {"external_reference", "transfer_id", "confirm_time"},
    "attempt": {
        "state",
        "provider_batch_id",
        "provider_item_id",
        "provider_transaction_id",
        "provider_state",
        "error_code",
        "fence",
        "lease_end_time",
        "update_time",
    },
    "bank_transfer": {"state", "external_reference", "fee_minor"},
    "request": {"response"},
}


@pytest.fixture
async def posted(harness: Harness) -> Database:
    """The database as the service's login, with postings."""
    await harness.due("p1", "anna@example.com")
    return harness.database


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE entry SET amount_minor = amount_minor * 2",
        "UPDATE entry SET create_time = now()",
        "DELETE FROM entry",
        "TRUNCATE entry",
        "UPDATE transfer SET kind = 'RESERVE'",
        "DELETE FROM transfer",
        "TRUNCATE transfer CASCADE",
        "UPDATE account SET balance_minor = balance_minor + 1",
        "DELETE FROM account",
        "DELETE FROM payout",
        "DELETE FROM attempt",
        "UPDATE payout SET creator = 'eve'",
        "UPDATE attempt SET receiver = 'eve@example.com'",
        "UPDATE decision SET reason = 'another'",
        "DELETE FROM decision",
        "UPDATE bank_transfer SET receiver = 'eve'",
        "DELETE FROM bank_transfer",
        "UPDATE kill_switch_event SET actor = 'another'",
        "DELETE FROM finding",
        "UPDATE provider SET name = 'OTHER'",
        "DELETE FROM provider",
        # Only the database sets a transfer's id and time, and an account's first balance.
        "INSERT INTO transfer (id, key, body_sha256, kind) OVERRIDING SYSTEM VALUE"
        " VALUES (1, 'k', '', 'DEPOSIT')",
        "INSERT INTO transfer (key, body_sha256, kind, create_time)"
        " VALUES ('k', '', 'DEPOSIT', '2020-01-01')",
        "INSERT INTO account VALUES ('brands/eve', 'available', 'USD', 100)",
        "DELETE FROM migration",
        "INSERT INTO migration (name, sha256) VALUES ('0099_evil.sql', '')",
    ],
)
async def test_the_services_login_cannot_change_final_rows(
    posted: Database, statement: str
) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        await posted.execute(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE entry DISABLE TRIGGER entry_is_final",
        "DROP TRIGGER entry_is_final ON entry",
        "ALTER TABLE account DROP CONSTRAINT account_is_not_overdrawn",
        "DROP TABLE entry CASCADE",
        "ALTER TABLE entry OWNER TO liaison_payouts",
        "CREATE TRIGGER mine BEFORE INSERT ON entry FOR EACH ROW EXECUTE FUNCTION refuse_change()",
        "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE sql AS 'SELECT NULL'",
        "ALTER FUNCTION carry_balance() SECURITY INVOKER",
        "CREATE OR REPLACE VIEW payout_now AS SELECT 1",
        "CREATE TABLE mine (x int)",
        "CREATE TEMPORARY TABLE account (x int)",
        "CREATE SCHEMA mine",
        "CREATE INDEX ON entry (kind)",
        "SET session_replication_role = replica",
        "SET ROLE liaison_payouts_owner",
        "SET SESSION AUTHORIZATION liaison_payouts_owner",
        "ALTER ROLE liaison_payouts SUPERUSER",
        "DO $$ BEGIN LOCK TABLE entry IN EXCLUSIVE MODE; END $$",
    ],
)
async def test_the_services_login_cannot_remove_constraints(
    posted: Database, statement: str
) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        await posted.execute(statement)


async def test_temporary_tables_do_not_shadow_constraints(
    access: Access, posted: Database, database_url: str
) -> None:
    """Holds even where every login may create temporary tables, as by default in Postgres."""
    name = sql.Identifier(str(conninfo_to_dict(database_url)["dbname"]))
    async with await psycopg.AsyncConnection.connect(
        access.administrator_url, autocommit=True
    ) as administrator:
        await administrator.execute(sql.SQL("GRANT TEMP ON DATABASE {} TO PUBLIC").format(name))
    columns = "(transfer_id bigint, owner text, kind text, currency text, amount_minor bigint)"
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as login:
        await login.execute(f"CREATE TEMP TABLE entry {columns}")  # type: ignore[arg-type]  # ours
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await login.execute(
                "CREATE TRIGGER forges AFTER INSERT ON entry"
                " FOR EACH ROW EXECUTE FUNCTION payouts.carry_balance()"
            )
        with pytest.raises(psycopg.errors.IntegrityError, match="fewer than two entries"):
            await _post_one_leg(login)


async def _post_one_leg(login: psycopg.AsyncConnection) -> None:
    """Posts one entry, with two others in a temporary table of the same name."""
    async with login.transaction():
        cursor = await login.execute(
            "INSERT INTO payouts.transfer (key, body_sha256, kind)"
            " VALUES ('forged', '', 'DEPOSIT') RETURNING id"
        )
        (transfer,) = await cursor.fetchone() or ()
        await login.execute(
            "INSERT INTO payouts.entry (transfer_id, owner, kind, currency, amount_minor)"
            " VALUES (%s, 'brands/acme', 'available', 'USD', 777)",
            (transfer,),
        )
        await login.execute(
            "INSERT INTO entry VALUES (%(id)s, 'a', 'b', 'USD', 1), (%(id)s, 'c', 'd', 'USD', -1)",
            {"id": transfer},
        )


async def test_a_confirmed_deposit_cannot_be_changed(posted: Database) -> None:
    for statement in (
        "UPDATE deposit SET external_reference = NULL, transfer_id = NULL, confirm_time = NULL",
        "UPDATE deposit SET external_reference = 'another'",
    ):
        with pytest.raises(psycopg.errors.IntegrityError, match="is confirmed"):
            await posted.execute(statement)  # type: ignore[arg-type]  # ours


async def test_the_account_column_granted_for_locking_cannot_be_changed(posted: Database) -> None:
    with pytest.raises(psycopg.errors.IntegrityError, match="only added to"):
        await posted.execute("UPDATE account SET currency = 'EUR'")


async def test_a_security_definer_function_has_a_fixed_search_path(
    posted: Database,
) -> None:
    rows = await posted.fetch_all(
        "SELECT proname, proconfig FROM pg_proc"
        " WHERE prosecdef AND pronamespace = current_schema()::regnamespace"
    )
    assert rows == [{"proname": "carry_balance", "proconfig": ["search_path=payouts, pg_temp"]}]


async def test_nothing_else_is_granted(posted: Database) -> None:
    """Compares all granted privileges with CHANGEABLE. A migration grants UPDATE on a new table."""
    rows = await posted.fetch_all(
        """
        SELECT c.relname AS name, a.attname AS column
          FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
         WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r'
           AND NOT a.attisdropped AND has_column_privilege(c.oid, a.attnum, 'UPDATE')
        """
    )
    changeable: dict[str, set[str]] = {}
    for row in rows:
        changeable.setdefault(row["name"], set()).add(row["column"])
    assert changeable == CHANGEABLE
    rows = await posted.fetch_all(
        """
        SELECT relname FROM pg_class
         WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'
           AND has_table_privilege(oid, 'DELETE, TRUNCATE, REFERENCES, TRIGGER, MAINTAIN')
        """
    )
    assert [row["relname"] for row in rows] == ["request"]


async def test_a_new_table_can_be_read_and_inserted_into(
    database: Database, owner: Database
) -> None:
    await owner.execute("CREATE TABLE later (n bigint GENERATED ALWAYS AS IDENTITY, name text)")
    await database.execute("INSERT INTO later (name) VALUES ('a')")
    assert await database.fetch_all("SELECT name FROM later") == [{"name": "a"}]
    for statement in ("UPDATE later SET name = 'b'", "DELETE FROM later"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await database.execute(statement)  # type: ignore[arg-type]  # ours


@pytest.mark.parametrize("service", ["creators", "tasks", "media", "disputes", "notifications"])
async def test_other_services_logins_have_no_access(
    access: Access, database_url: str, service: str
) -> None:
    """Neither to the database, nor to the schema when they may connect to it."""
    name = str(conninfo_to_dict(database_url)["dbname"])
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        async with await psycopg.AsyncConnection.connect(access.service_url(service, name)):
            pass
    async with await psycopg.AsyncConnection.connect(
        administrator_url(access.administrator_url, name), autocommit=True
    ) as administrator:
        await administrator.execute(
            f"GRANT CONNECT ON DATABASE {name} TO liaison_{service}".encode()
        )
    async with await psycopg.AsyncConnection.connect(
        access.service_url(service, name), autocommit=True
    ) as stranger:
        for statement in (
            "SELECT FROM payouts.entry",
            "SELECT FROM payouts.payout_now",
            "INSERT INTO payouts.decision DEFAULT VALUES",
            "SET ROLE liaison_payouts",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                await stranger.execute(statement.encode())


async def test_a_second_login_in_the_services_role_has_its_privileges(
    access: Access, database_url: str
) -> None:
    """A password is changed without downtime by a second login beside the first."""
    name = str(conninfo_to_dict(database_url)["dbname"])
    async with await psycopg.AsyncConnection.connect(
        administrator_url(access.administrator_url, name), autocommit=True
    ) as administrator:
        await administrator.execute(f"CREATE ROLE next_{name} IN ROLE liaison_payouts".encode())
        try:
            await administrator.execute(f"SET ROLE next_{name}".encode())
            await administrator.execute("SELECT FROM payouts.account FOR UPDATE")
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                await administrator.execute("DELETE FROM payouts.entry")
        finally:
            await administrator.execute("RESET ROLE")
            await administrator.execute(f"DROP ROLE next_{name}".encode())


async def test_only_the_owner_migrates_the_schema(database: Database, owner: Database) -> None:
    await migrate(database, "services.payouts")  # nothing to do
    await owner.execute("DELETE FROM migration WHERE name = '0002_privileges.sql'")
    with pytest.raises(RuntimeError, match=r"0002_privileges\.sql must be applied first"):
        await migrate(database, "services.payouts")
    await migrate(owner, "services.payouts")
    await migrate(database, "services.payouts")


async def test_the_services_login_cannot_run_the_privileges_migration(database_url: str) -> None:
    script = files("services.payouts") / "migrations" / "0002_privileges.sql"
    async with await psycopg.AsyncConnection.connect(database_url) as login:
        with pytest.raises(psycopg.errors.RaiseException, match="cannot be owned by"):
            await login.execute(script.read_bytes())


async def test_a_service_without_the_owners_url_starts_only_after_the_migration_job(
    harness: Harness, databases: Databases, database_url: str, owner: Database
) -> None:
    await owner.execute("DELETE FROM migration WHERE name = '0002_privileges.sql'")
    environment = environment_of(harness, database_url)
    early = await start(environment)
    _, output = await early.communicate()
    assert early.returncode == 1
    assert b"0002_privileges.sql must be applied first, by the owner of the schema" in output
    job = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "servicekit.postgres.migrator",
        "services.payouts",
        env=os.environ | {"LIAISON_DATABASE_OWNER_URL": databases.owner_url(database_url)},
    )
    assert await job.wait() == 0
    process = await start(environment)
    try:
        assert await logged_address(process)
    finally:
        process.send_signal(signal.SIGTERM)
        await process.communicate()
    assert process.returncode == 0


async def test_provisioning_gives_an_existing_schema_to_its_owner(
    access: Access, database_url: str
) -> None:
    name = str(conninfo_to_dict(database_url)["dbname"])
    async with await psycopg.AsyncConnection.connect(
        administrator_url(access.administrator_url, name), autocommit=True
    ) as administrator:
        await administrator.execute("ALTER SCHEMA payouts OWNER TO liaison_payouts")
        await administrator.execute("ALTER TABLE payouts.entry OWNER TO liaison_payouts")
        await access.provision_database(name)
        found = await administrator.execute(
            "SELECT nspowner::regrole::text, relowner::regrole::text"
            "  FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace"
            " WHERE pg_class.oid = 'payouts.entry'::regclass"
        )
        assert await found.fetchone() == ("liaison_payouts_owner", "liaison_payouts_owner")
