"""Environment settings of the creators service."""

from servicekit.settings import DatabaseSettings, ServerSettings


class CreatorsSettings(ServerSettings, DatabaseSettings):
    pass
