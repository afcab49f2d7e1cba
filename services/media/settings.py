"""What the media service is told by its environment."""

from servicekit.settings import (
    ClientSettings,
    DatabaseSettings,
    ObjectStoreSettings,
    ServerSettings,
    TemporalSettings,
)
from services.media.publications.settings import PublicationSettings


class MediaSettings(
    ServerSettings,
    DatabaseSettings,
    ObjectStoreSettings,
    ClientSettings,
    TemporalSettings,
    PublicationSettings,
):
    media_quarantine_bucket: str = "media-quarantine"
    media_accepted_bucket: str = "media-accepted"
    media_image_maximum_bytes: int = 25 * 1024 * 1024
    # Decoders run beside the server: memory for a pod is its own plus this many times that.
    media_decoder_processes: int = 2
    media_decoder_memory_bytes: int = 1536 * 1024 * 1024
    media_decoder_cpu_seconds: int = 8
    media_decoder_wall_seconds: float = 10.0  # below the deadline of the call that waits
    media_sweep_interval_seconds: float = 600.0
