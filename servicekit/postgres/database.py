"""The only access to Postgres: a connection pool, and transactions that nest by joining.

A statement runs on the transaction that the calling task has open, otherwise on a pooled connection
in autocommit mode. Connection failures are raised as `Unavailable`; other driver errors pass
through and become INTERNAL.
"""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from typing import Any, LiteralString, Self

import psycopg
from opentelemetry import trace
from opentelemetry.instrumentation.utils import is_instrumentation_enabled
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from servicekit.errors import Reason, Unavailable
from servicekit.settings import DatabaseSettings

Connection = psycopg.AsyncConnection[DictRow]
Parameters = Sequence[Any] | dict[str, Any]

_TRACER = trace.get_tracer(__name__)

_transaction: ContextVar[Connection | None] = ContextVar("transaction", default=None)


class Database:
    """A connection pool. Open and close it in the event loop that uses it."""

    def __init__(self, url: str, *, pool_size: int = 10) -> None:
        self._pool: AsyncConnectionPool[Connection] = AsyncConnectionPool(
            url,
            kwargs={"row_factory": dict_row, "autocommit": True},
            min_size=1,
            max_size=pool_size,
            timeout=5.0,  # seconds to wait for a connection, well below any call's deadline
            open=False,
            # Connections are not checked before each use, which would cost a round trip: a broken
            # one fails a single call with UNAVAILABLE and is replaced.
        )

    @classmethod
    def from_settings(cls, settings: DatabaseSettings) -> Self:
        return cls(settings.database_url.get_secret_value(), pool_size=settings.database_pool_size)

    async def __aenter__(self) -> Self:
        await self._pool.open()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._pool.close()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        """Commits everything in the block or nothing. Inside another transaction it joins that one
        instead."""
        if _transaction.get() is not None:
            yield
            return
        async with self.connection() as connection, connection.transaction():
            token = _transaction.set(connection)
            try:
                yield
            finally:
                _transaction.reset(token)

    async def fetch_one(self, sql: LiteralString, parameters: Parameters = ()) -> DictRow | None:
        async with self.connection() as connection:
            return await (await _run(connection, sql, parameters)).fetchone()

    async def fetch_all(
        self, sql: LiteralString, parameters: Parameters = (), *, generic_plan: bool = True
    ) -> list[DictRow]:
        """Returns all rows.

        A statement that is used often is prepared, and Postgres may then use one generic plan for
        all parameters. `generic_plan=False` plans for these parameters.
        """
        async with self.connection() as connection:
            prepare = None if generic_plan else False
            return await (await _run(connection, sql, parameters, prepare)).fetchall()

    async def execute(self, sql: LiteralString, parameters: Parameters = ()) -> int:
        """Runs a statement and returns the number of affected rows."""
        async with self.connection() as connection:
            return (await _run(connection, sql, parameters)).rowcount

    def is_in_transaction(self) -> bool:
        """Whether the calling task has a transaction open."""
        return _transaction.get() is not None

    @asynccontextmanager
    async def exclusively(self, name: str) -> AsyncIterator[None]:
        """Holds the advisory lock `name` of the current schema while the block runs, whatever
        transactions the block opens. Postgres releases it when the process dies.

        Raises:
            Unavailable: the lock is held by another call.
        """
        key = "hashtext(current_schema() || '.' || %s)"
        # A session lock on a connection of its own: no transaction may stay open for so long.
        async with self.connection() as connection:
            result = await connection.execute(f"SELECT pg_try_advisory_lock({key})", (name,))
            if not ((await result.fetchone()) or {}).get("pg_try_advisory_lock"):
                raise Unavailable(
                    Reason.DEPENDENCY_UNAVAILABLE,
                    "The same operation is already running: try again later",
                )
            try:
                yield
            finally:
                await connection.execute(f"SELECT pg_advisory_unlock({key})", (name,))

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """The connection of the open transaction, otherwise one from the pool.

        Raises:
            Unavailable: Postgres cannot be reached, or no connection became free.
        """
        if (joined := _transaction.get()) is not None:
            yield joined
            return
        try:
            async with self._pool.connection() as connection:
                yield connection
        except (PoolTimeout, psycopg.OperationalError) as error:
            raise Unavailable(
                Reason.DEPENDENCY_UNAVAILABLE, "The database does not answer"
            ) from error


async def _run(
    connection: Connection, sql: LiteralString, parameters: Parameters, prepare: bool | None = None
) -> psycopg.AsyncCursor[DictRow]:
    with _span(sql):
        return await connection.execute(sql, parameters, prepare=prepare)


@contextmanager
def _span(sql: LiteralString) -> Iterator[None]:
    """A client span for a statement, if the current trace is recorded; otherwise free of cost."""
    if not trace.get_current_span().is_recording() or not is_instrumentation_enabled():
        yield
        return
    query = " ".join(sql.split())
    with _TRACER.start_as_current_span(
        query.partition(" ")[0],
        kind=trace.SpanKind.CLIENT,
        attributes={"db.system.name": "postgresql", "db.query.text": query},
    ):
        yield
