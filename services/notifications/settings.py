"""What the notifications service is told by its environment."""

from servicekit.settings import DatabaseSettings, ServerSettings


class NotificationsSettings(ServerSettings, DatabaseSettings):
    pass
