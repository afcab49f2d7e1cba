"""The notifications process: wiring only."""

from servicekit.clock import utc_now
from servicekit.postgres.database import Database
from servicekit.postgres.migrator import migrate_on_start
from servicekit.process import run
from servicekit.rpc.server import GrpcServer
from servicekit.telemetry import telemetry
from services.notifications.handlers import NotificationHandlers
from services.notifications.servicer import service
from services.notifications.settings import NotificationsSettings
from services.notifications.store import NotificationStore


async def main() -> None:
    settings = NotificationsSettings()  # type: ignore[call-arg]  # the environment fills it
    with telemetry(settings):
        async with Database.from_settings(settings) as database:
            await migrate_on_start(database, settings, "services.notifications")
            notifications = NotificationHandlers(NotificationStore(database), utc_now)
            await GrpcServer(settings, [service(notifications)], database).serve_until_stopped()


if __name__ == "__main__":
    run(main())
