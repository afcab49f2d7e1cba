"""Settings of the disputes service, read from the environment."""

from servicekit.settings import (
    Address,
    ClientSettings,
    DatabaseSettings,
    ServerSettings,
    TemporalSettings,
)


class DisputesSettings(ServerSettings, DatabaseSettings, ClientSettings, TemporalSettings):
    tasks_address: Address = "127.0.0.1:15052"
