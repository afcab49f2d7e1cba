"""Schema migrations: applies a service's `migrations/*.sql` before the service serves.

A service whose login does not own its schema gets the owner's URL as well
(LIAISON_DATABASE_OWNER_URL), or a job applies the migrations before it starts:

    LIAISON_DATABASE_OWNER_URL=… python -m servicekit.postgres.migrator services.payouts
"""

import hashlib
import sys
from collections.abc import Iterator
from importlib.resources import files

from pydantic import SecretStr

from servicekit.postgres.database import Connection, Database
from servicekit.process import run
from servicekit.settings import DatabaseSettings, DatabaseUrl, Settings
from servicekit.telemetry import telemetry

# Its migrations create the tables that every service has, and are applied first.
_SHARED = "servicekit.postgres"


class OwnerSettings(Settings):
    database_owner_url: DatabaseUrl


async def migrate_on_start(database: Database, settings: DatabaseSettings, package: str) -> None:
    """Applies the new migrations of `package`: as the schema's owner, if its URL is given, on a
    connection that is closed again; otherwise as the service's own login.

    Raises:
        RuntimeError: see `migrate`.
    """
    if settings.database_owner_url is not None:
        await _migrate_as_owner(settings.database_owner_url, package)
    await migrate(database, package)


async def migrate(database: Database, package: str) -> None:
    """Applies the new migrations of servicekit, then of `package`, ordered by file name, in one
    transaction. An advisory lock serialises processes that start at the same time.

    Raises:
        RuntimeError: an applied migration has been edited since, or there are new migrations and
            this login may not create tables in the schema.
    """
    async with database.transaction(), database.connection() as connection:
        await connection.execute(
            "SELECT pg_advisory_xact_lock(hashtext(current_schema() || '.migration'))"
        )
        pending = await _pending(connection, package)
        if not pending:
            return
        await _require_owner(connection, package, [name for name, _ in pending])
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS migration ("
            " name text PRIMARY KEY, sha256 text NOT NULL,"
            " applied_time timestamptz NOT NULL DEFAULT now())"
        )
        for name, script in pending:
            await connection.execute(script)
            await connection.execute(
                "INSERT INTO migration (name, sha256) VALUES (%s, %s)", (name, _sha256(script))
            )


async def _pending(connection: Connection, package: str) -> list[tuple[str, bytes]]:
    """The name and script of each migration that is not applied yet."""
    applied: dict[str, str] = {}
    table = await connection.execute("SELECT FROM pg_class WHERE oid = to_regclass('migration')")
    if table.rowcount:
        rows = await connection.execute("SELECT name, sha256 FROM migration")
        applied = {row["name"]: row["sha256"] async for row in rows}
    for name, script in _migrations(package):
        if applied.get(name, _sha256(script)) != _sha256(script):
            raise RuntimeError(f"{package}: {name} was edited after it was applied")
    return [migration for migration in _migrations(package) if migration[0] not in applied]


async def _require_owner(connection: Connection, package: str, pending: list[str]) -> None:
    schema = await connection.execute(
        "SELECT FROM pg_namespace WHERE nspname = current_schema()"
        " AND has_schema_privilege(oid, 'CREATE')"
    )
    if not schema.rowcount:
        raise RuntimeError(
            f"{package}: {', '.join(pending)} must be applied first, by the owner of the schema"
        )


def _sha256(script: bytes) -> str:
    return hashlib.sha256(script).hexdigest()


def _migrations(package: str) -> Iterator[tuple[str, bytes]]:
    for source in (_SHARED, package):
        folder = files(source) / "migrations"
        for script in sorted(folder.iterdir(), key=lambda script: script.name):
            if script.name.endswith(".sql"):
                yield script.name, script.read_bytes()


async def _migrate_as_owner(owner_url: SecretStr, package: str) -> None:
    async with Database(owner_url.get_secret_value(), pool_size=1) as owner:
        await migrate(owner, package)


async def _main(package: str) -> None:
    settings = OwnerSettings()  # type: ignore[call-arg]  # the environment fills it
    with telemetry(settings):
        await _migrate_as_owner(settings.database_owner_url, package)


if __name__ == "__main__":
    run(_main(sys.argv[1]))
