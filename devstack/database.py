"""The database of the stack: a login and a schema for each service.

The owner of payouts' schema is not the service's login, so that the service cannot change the
constraints of its ledger; other services own their schemas. Provisioning is idempotent and runs at
each start. The services' migrations create the tables and grant what a login that is not the owner
needs.
"""

from collections.abc import Mapping
from urllib.parse import quote, urlsplit, urlunsplit

import psycopg
from psycopg import sql

from devstack.home import Home
from services.processes import PROCESSES

DATABASE = "liaison"
SERVICES = tuple(process.schema for process in PROCESSES if process.schema)
_WITH_OWNER = frozenset(process.schema for process in PROCESSES if process.has_schema_owner)


def login(service: str) -> str:
    return f"liaison_{service}"


def owner(service: str) -> str:
    """The role that owns the service's schema, and migrates it."""
    return f"{login(service)}_owner" if service in _WITH_OWNER else login(service)


def password(home: Home, role: str) -> str:
    return home.secret(f"database-password-{role.removeprefix('liaison_')}")


def passwords(home: Home) -> dict[str, str]:
    """The password of each service's login and of each schema owner, by role."""
    roles = {role for service in SERVICES for role in (login(service), owner(service))}
    return {role: password(home, role) for role in sorted(roles)}


def role_url(administrator_url: str, database: str, role: str, password: str) -> str:
    """The URL of the same server for that role."""
    parts = urlsplit(administrator_url)
    host = parts.netloc.rpartition("@")[2]
    netloc = f"{role}:{quote(password, safe='')}@{host}"
    return urlunsplit(("postgresql", netloc, f"/{database}", parts.query, ""))


def database_url(administrator_url: str, database: str) -> str:
    return urlunsplit(urlsplit(administrator_url)._replace(path=f"/{database}"))


async def provision(
    administrator_url: str, passwords: Mapping[str, str], database: str = DATABASE
) -> None:
    """Creates roles and schemas. An existing role gets the given password."""
    async with await psycopg.AsyncConnection.connect(administrator_url, autocommit=True) as server:
        # Roles belong to the whole server: concurrent provisioning of two databases would conflict.
        await server.execute("SELECT pg_advisory_lock(hashtext('liaison.provision'))")
        await _ensure_database(server, database)
        for role, password in passwords.items():
            await _ensure_role(server, role, password)
    async with await psycopg.AsyncConnection.connect(
        database_url(administrator_url, database)
    ) as inside:
        await inside.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
        for service in SERVICES:
            await _ensure_schema(inside, database, service)


async def _ensure_database(server: psycopg.AsyncConnection, database: str) -> None:
    found = await server.execute("SELECT FROM pg_database WHERE datname = %s", [database])
    name = sql.Identifier(database)
    if await found.fetchone() is None:
        await server.execute(sql.SQL("CREATE DATABASE {}").format(name))
    await server.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(name))


async def _ensure_role(server: psycopg.AsyncConnection, role: str, password: str) -> None:
    found = await server.execute("SELECT FROM pg_roles WHERE rolname = %s", [role])
    verb = sql.SQL("CREATE" if await found.fetchone() is None else "ALTER")
    # Hashed here, so that the password cannot appear in the server's log.
    verifier = server.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256")
    await server.execute(
        sql.SQL("{} ROLE {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD {}").format(
            verb, sql.Identifier(role), sql.Literal(verifier.decode())
        )
    )


async def _ensure_schema(inside: psycopg.AsyncConnection, database: str, service: str) -> None:
    names = {
        "database": sql.Identifier(database),
        "login": sql.Identifier(login(service)),
        "owner": sql.Identifier(owner(service)),
        "schema": sql.Identifier(service),
    }
    for statement in (
        "GRANT CONNECT ON DATABASE {database} TO {login}, {owner}",
        "CREATE SCHEMA IF NOT EXISTS {schema} AUTHORIZATION {owner}",
        "ALTER ROLE {login} IN DATABASE {database} SET search_path = {schema}",
        "ALTER ROLE {owner} IN DATABASE {database} SET search_path = {schema}",
        # For data directories from before the two roles were separate.
        "REASSIGN OWNED BY {login} TO {owner}",
    ):
        await inside.execute(sql.SQL(statement).format(**names))
