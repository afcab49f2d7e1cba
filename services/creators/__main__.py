"""The creators process: wiring only."""

from servicekit.clock import utc_now
from servicekit.postgres.database import Database
from servicekit.postgres.migrator import migrate_on_start
from servicekit.process import run
from servicekit.rpc.server import GrpcServer
from servicekit.telemetry import telemetry
from services.creators.handlers import CreatorHandlers
from services.creators.servicer import service
from services.creators.settings import CreatorsSettings
from services.creators.store import CreatorStore


async def main() -> None:
    settings = CreatorsSettings()  # type: ignore[call-arg]  # the environment fills it
    with telemetry(settings):
        async with Database.from_settings(settings) as database:
            await migrate_on_start(database, settings, "services.creators")
            creators = CreatorHandlers(CreatorStore(database), utc_now)
            await GrpcServer(settings, [service(creators)], database).serve_until_stopped()


if __name__ == "__main__":
    run(main())
