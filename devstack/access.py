"""Access to a running stack: addresses, logins and tokens, for the demo, the tests and the CLI.

Works for any stack whose data directory is readable. Stacks are started by `devstack.stack`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from devstack import database, identity, object_store, state
from devstack.home import Home, write_private


@dataclass(frozen=True)
class Access:
    """`addresses` maps names (`temporal`, `temporal-ui`, `s3`, `creators`, …) to host:port."""

    home: Home
    addresses: Mapping[str, str]

    def token(
        self,
        role: identity.Role,
        *,
        subject: str = "",
        brand: str = "",
        creator: str = "",
        ttl_seconds: int = 3600,
    ) -> str:
        return identity.mint(
            self.home, role, subject=subject, brand=brand, creator=creator, ttl_seconds=ttl_seconds
        )

    @property
    def administrator_url(self) -> str:
        """The URL of the database server, for a role that may create databases."""
        return administrator_url_file(self.home).read_text(encoding="utf-8")

    def service_url(self, service: str, database_name: str = database.DATABASE) -> str:
        """The URL of a database for a service's login."""
        return self._role_url(database.login(service), database_name)

    def owner_url(self, service: str, database_name: str = database.DATABASE) -> str:
        """The URL of a database for the owner of a service's schema."""
        return self._role_url(database.owner(service), database_name)

    def _role_url(self, role: str, database_name: str) -> str:
        password = database.password(self.home, role)
        return database.role_url(self.administrator_url, database_name, role, password)

    async def provision_database(self, name: str) -> None:
        """Creates another database with the services' logins and schemas, for a test."""
        passwords = database.passwords(self.home)
        await database.provision(self.administrator_url, passwords, name)

    @property
    def object_store_credentials(self) -> tuple[str, str]:
        """The access key and the secret key."""
        return object_store.credentials(self.home)


def attach(home: Home) -> Access | None:
    """Access to the running stack of that data directory; None if none runs."""
    running = state.read(home)
    return None if running is None else Access(home, running.addresses)


def administrator_url_file(home: Home) -> Path:
    return home.secrets / "database-administrator-url"


def store_administrator_url(home: Home, url: str) -> None:
    """Stores the URL for processes that attach later without DATABASE_URL."""
    write_private(administrator_url_file(home), url)
