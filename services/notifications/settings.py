"""Settings of the notifications service, read from the environment."""

from servicekit.settings import DatabaseSettings, ServerSettings


class NotificationsSettings(ServerSettings, DatabaseSettings):
    pass
