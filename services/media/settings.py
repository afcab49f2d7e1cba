"""What the media service is told by its environment."""

from servicekit.settings import (
    ClientSettings,
    DatabaseSettings,
    ObjectStoreSettings,
    ServerSettings,
)


class MediaSettings(ServerSettings, DatabaseSettings, ObjectStoreSettings, ClientSettings):
    media_quarantine_bucket: str = "media-quarantine"
    media_accepted_bucket: str = "media-accepted"
    media_image_maximum_bytes: int = 25 * 1024 * 1024
    # Decoders run beside the server: memory for a pod is its own plus this many times that.
    media_decoder_processes: int = 2
    media_decoder_memory_bytes: int = 1536 * 1024 * 1024
    media_decoder_cpu_seconds: int = 8
    media_decoder_wall_seconds: float = 10.0  # below the deadline of the call that waits
    # By the client that a video is made on. The platform's own limits are not known (R88).
    media_video_desktop_maximum_bytes: int = 500 * 1024 * 1024
    media_video_desktop_maximum_seconds: int = 600
    media_video_app_maximum_bytes: int = 200 * 1024 * 1024
    media_video_app_maximum_seconds: int = 180
    # Probers of videos; they take turns with their memory as decoders do.
    media_prober_processes: int = 1
    media_prober_memory_bytes: int = 1024 * 1024 * 1024
    media_prober_cpu_seconds: int = 8
    media_prober_wall_seconds: float = 10.0  # without the time that storage takes
    media_sweep_interval_seconds: float = 600.0
