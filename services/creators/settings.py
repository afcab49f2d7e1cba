"""What the creators service is told by its environment."""

from servicekit.settings import DatabaseSettings, ServerSettings


class CreatorsSettings(ServerSettings, DatabaseSettings):
    pass
