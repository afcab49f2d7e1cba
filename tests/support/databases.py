"""A separate database for each test, copied from a template that is migrated once."""

import itertools
import os
from typing import LiteralString
from urllib.parse import quote

import psycopg
from psycopg import sql

from devstack import database
from devstack.access import Access
from servicekit.postgres.database import Database
from servicekit.postgres.migrator import migrate


class Databases:
    """Creates test databases, and each service's template on first use. One per test process."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._prefix = f"test_{os.getpid()}"
        self._templates: set[str] = set()
        self._numbers = itertools.count(1)
        self._owner_urls: dict[str, str] = {}

    async def fresh(self, service: str) -> str:
        """The URL of an empty, migrated database for the service's login."""
        template = f"{self._prefix}_{service}"
        if service not in self._templates:
            await self._access.provision_database(template)
            owner_url = _with_search_path(self._access.owner_url(service, template), service)
            async with Database(owner_url, pool_size=1) as owner:
                await migrate(owner, f"services.{service}")
            self._templates.add(service)
        name = f"{template}_{next(self._numbers)}"
        await self._administer(
            "CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY",
            # Privileges on a database are not copied with it.
            "REVOKE ALL ON DATABASE {name} FROM PUBLIC",
            "GRANT CONNECT ON DATABASE {name} TO {login}, {owner}",
            name=name,
            template=template,
            login=database.login(service),
            owner=database.owner(service),
        )
        url = _with_search_path(self._access.service_url(service, name), service)
        self._owner_urls[url] = _with_search_path(self._access.owner_url(service, name), service)
        return url

    def owner_url(self, url: str) -> str:
        """The same database for its schema's owner, which has privileges that the login lacks."""
        return self._owner_urls[url]

    async def _administer(self, *statements: LiteralString, **names: str) -> None:
        identifiers = {key: sql.Identifier(name) for key, name in names.items()}
        async with await psycopg.AsyncConnection.connect(
            self._access.administrator_url, autocommit=True
        ) as connection:
            for statement in statements:
                await connection.execute(sql.SQL(statement).format(**identifiers))


def _with_search_path(url: str, schema: str) -> str:
    """The URL with a search_path: role settings of a database are not copied with it either."""
    separator = "&" if "?" in url else "?"
    return f"{url}{separator}options={quote(f'-csearch_path={schema}')}"
