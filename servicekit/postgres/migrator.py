"""A service's schema, brought to where its migrations lead before the service serves.

A service whose login does not own its schema either is given the owner's URL as well, or it finds
everything applied by a job that ran before it, whose command is

    LIAISON_DATABASE_OWNER_URL=… python -m servicekit.postgres.migrator services.payouts
"""

import sys

from pydantic import SecretStr

from servicekit.postgres.database import Database
from servicekit.process import run
from servicekit.settings import DatabaseSettings, DatabaseUrl, Settings
from servicekit.telemetry import telemetry


class OwnerSettings(Settings):
    database_owner_url: DatabaseUrl


async def bring_up_to_date(database: Database, settings: DatabaseSettings, package: str) -> None:
    """Applies what is new of `package`'s migrations: as the owner, where one is given, on a
    connection that is closed again; else as the service, if it owns its schema.

    Raises:
        RuntimeError: see `Database.migrate`.
    """
    if settings.database_owner_url is not None:
        await _migrate(settings.database_owner_url, package)
    await database.migrate(package)


async def _migrate(owner_url: SecretStr, package: str) -> None:
    async with Database(owner_url.get_secret_value(), pool_size=1) as owner:
        await owner.migrate(package)


async def _main(package: str) -> None:
    settings = OwnerSettings()  # type: ignore[call-arg]  # the environment fills it
    with telemetry(settings):
        await _migrate(settings.database_owner_url, package)


if __name__ == "__main__":
    run(_main(sys.argv[1]))
