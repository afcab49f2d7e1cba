"""What the disputes service is told by its environment."""

from servicekit.settings import ClientSettings, DatabaseSettings, ServerSettings, TemporalSettings


class DisputesSettings(ServerSettings, DatabaseSettings, ClientSettings, TemporalSettings):
    pass
