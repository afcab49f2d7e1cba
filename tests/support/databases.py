"""A database of its own for each test, copied from a template that was migrated once."""

import itertools
import os
from urllib.parse import quote

import psycopg
from psycopg import sql

from devstack.access import Access
from servicekit.database import Database


class Databases:
    """One a test process: templates are made when a service is first asked for."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._prefix = f"test_{os.getpid()}"
        self._templates: set[str] = set()
        self._numbers = itertools.count(1)

    async def fresh(self, service: str) -> str:
        """The URL of an empty, migrated database, as the service's own login."""
        template = f"{self._prefix}_{service}"
        if service not in self._templates:
            await self._access.provision_database(template)
            async with Database(self._url(service, template), pool_size=1) as database:
                await database.migrate(f"services.{service}")
            self._templates.add(service)
        name = f"{template}_{next(self._numbers)}"
        await self._administer(
            sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY").format(
                sql.Identifier(name), sql.Identifier(template)
            )
        )
        # Privileges on a database are not copied with it.
        await self._administer(
            sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(
                sql.Identifier(name), sql.Identifier(f"liaison_{service}")
            )
        )
        return self._url(service, name)

    def _url(self, service: str, name: str) -> str:
        """A role's search_path belongs to a database and is not copied either."""
        url = self._access.service_url(service, name)
        separator = "&" if "?" in url else "?"
        return f"{url}{separator}options={quote(f'-csearch_path={service}')}"

    async def _administer(self, statement: sql.Composed) -> None:
        async with await psycopg.AsyncConnection.connect(
            self._access.administrator_url, autocommit=True
        ) as connection:
            await connection.execute(statement)
