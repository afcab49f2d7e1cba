"""The one seam to Postgres: a pool, transactions that nest by joining, and migrations.

Statements run on the transaction that is open in the calling task, if any, else on a connection of
their own. Driver errors leave here as ours: a server that is away is UNAVAILABLE, never INTERNAL.
"""

import hashlib
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from importlib.resources import files
from typing import Any, LiteralString, Self

import psycopg
from opentelemetry import trace
from opentelemetry.instrumentation.utils import is_instrumentation_enabled
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from servicekit.errors import Reason, Unavailable

Connection = psycopg.AsyncConnection[DictRow]
Parameters = Sequence[Any] | dict[str, Any]

_TRACER = trace.get_tracer(__name__)

_open: ContextVar[Connection | None] = ContextVar("open_transaction", default=None)


class Database:
    """A pool of connections. Open and close it in the event loop that uses it."""

    def __init__(self, url: str, *, pool_size: int = 10) -> None:
        self._pool: AsyncConnectionPool[Connection] = AsyncConnectionPool(
            url,
            kwargs={"row_factory": dict_row, "autocommit": True},
            min_size=1,
            max_size=pool_size,
            timeout=5.0,  # seconds to wait for a connection, well below any call's deadline
            open=False,
            # Not checked before each use, which would cost a round trip: a connection that broke
            # answers UNAVAILABLE once and is replaced.
        )

    async def __aenter__(self) -> Self:
        await self._pool.open()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._pool.close()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        """Everything inside commits together or not at all. Inside another one it just joins."""
        if _open.get() is not None:
            yield
            return
        async with self._connection() as connection, connection.transaction():
            token = _open.set(connection)
            try:
                yield
            finally:
                _open.reset(token)

    async def fetch_one(self, sql: LiteralString, parameters: Parameters = ()) -> DictRow | None:
        async with self._connection() as connection:
            return await (await _run(connection, sql, parameters)).fetchone()

    async def fetch_all(
        self, sql: LiteralString, parameters: Parameters = (), *, is_planned_anew: bool = False
    ) -> list[DictRow]:
        """All rows. A statement that comes again and again is planned once for any values, unless
        the plan must follow from the values."""
        async with self._connection() as connection:
            prepare = False if is_planned_anew else None
            return await (await _run(connection, sql, parameters, prepare)).fetchall()

    async def execute(self, sql: LiteralString, parameters: Parameters = ()) -> int:
        """Runs a statement; answers with how many rows it touched."""
        async with self._connection() as connection:
            return (await _run(connection, sql, parameters)).rowcount

    def is_in_transaction(self) -> bool:
        """Whether the calling task has a transaction open."""
        return _open.get() is not None

    @asynccontextmanager
    async def exclusively(self, name: str) -> AsyncIterator[None]:
        """Runs the block as the only one of this name in our schema, whatever transactions it
        opens. A process that dies gives its place up.

        Raises:
            Unavailable: another one has it.
        """
        key = "hashtext(current_schema() || '.' || %s)"
        # On a connection of its own, since no transaction may stay open for so long.
        async with self._connection() as connection:
            taken = await connection.execute(f"SELECT pg_try_advisory_lock({key})", (name,))
            if not ((await taken.fetchone()) or {}).get("pg_try_advisory_lock"):
                raise Unavailable(
                    Reason.DEPENDENCY_UNAVAILABLE, "Another call does the same now: try again"
                )
            try:
                yield
            finally:
                await connection.execute(f"SELECT pg_advisory_unlock({key})", (name,))

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Connection]:
        if (joined := _open.get()) is not None:
            yield joined
            return
        try:
            async with self._pool.connection() as connection:
                yield connection
        except (PoolTimeout, psycopg.OperationalError) as error:
            raise Unavailable(
                Reason.DEPENDENCY_UNAVAILABLE, "The database does not answer"
            ) from error

    async def migrate(self, package: str) -> None:
        """Applies servicekit's `migrations/*.sql`, then those of `package`, in order of name, as
        far as they are new. Several processes may start at once: they take turns.

        Raises:
            RuntimeError: a migration that was applied has been edited since; or one is new, and
                this login does not own the schema.
        """
        async with self.transaction(), self._connection() as connection:
            await connection.execute(
                "SELECT pg_advisory_xact_lock(hashtext(current_schema() || '.migration'))"
            )
            new = await _new_migrations(connection, package)
            if not new:
                return
            await _require_owner(connection, package, [name for name, _ in new])
            await connection.execute(
                "CREATE TABLE IF NOT EXISTS migration ("
                " name text PRIMARY KEY, sha256 text NOT NULL,"
                " applied_time timestamptz NOT NULL DEFAULT now())"
            )
            for name, script in new:
                await connection.execute(script)
                await connection.execute(
                    "INSERT INTO migration (name, sha256) VALUES (%s, %s)", (name, _sha256(script))
                )


async def _run(
    connection: Connection, sql: LiteralString, parameters: Parameters, prepare: bool | None = None
) -> psycopg.AsyncCursor[DictRow]:
    with _traced(sql):
        return await connection.execute(sql, parameters, prepare=prepare)


@contextmanager
def _traced(sql: LiteralString) -> Iterator[None]:
    """A span for a statement that serves a call whose trace is recorded; none, at no cost,
    otherwise."""
    if not trace.get_current_span().is_recording() or not is_instrumentation_enabled():
        yield
        return
    text = " ".join(sql.split())
    with _TRACER.start_as_current_span(
        text.partition(" ")[0],
        kind=trace.SpanKind.CLIENT,
        attributes={"db.system.name": "postgresql", "db.query.text": text},
    ):
        yield


async def _new_migrations(connection: Connection, package: str) -> list[tuple[str, bytes]]:
    """Name and script of each migration that was not applied yet."""
    applied: dict[str, str] = {}
    found = await connection.execute("SELECT FROM pg_class WHERE oid = to_regclass('migration')")
    if found.rowcount:
        rows = await connection.execute("SELECT name, sha256 FROM migration")
        applied = {row["name"]: row["sha256"] async for row in rows}
    for name, script in _migrations(package):
        if applied.get(name, _sha256(script)) != _sha256(script):
            raise RuntimeError(f"{package}: {name} was edited after it was applied")
    return [migration for migration in _migrations(package) if migration[0] not in applied]


async def _require_owner(connection: Connection, package: str, new: list[str]) -> None:
    found = await connection.execute(
        "SELECT FROM pg_namespace WHERE nspname = current_schema()"
        " AND has_schema_privilege(oid, 'CREATE')"
    )
    if not found.rowcount:
        raise RuntimeError(
            f"{package}: {', '.join(new)} must be applied first, by the owner of the schema"
        )


def _sha256(script: bytes) -> str:
    return hashlib.sha256(script).hexdigest()


def _migrations(package: str) -> Iterator[tuple[str, bytes]]:
    for owner in ("servicekit", package):
        folder = files(owner) / "migrations"
        for script in sorted(folder.iterdir(), key=lambda script: script.name):
            if script.name.endswith(".sql"):
                yield script.name, script.read_bytes()
