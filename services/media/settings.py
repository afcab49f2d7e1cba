"""What the media service is told by its environment."""

from servicekit.settings import DatabaseSettings, ObjectStoreSettings, ServerSettings
from services.media.decoder_pool import CONFINEMENT
from services.media.images import IMAGE_MAXIMUM_BYTES


class MediaSettings(ServerSettings, DatabaseSettings, ObjectStoreSettings):
    media_quarantine_bucket: str = "media-quarantine"
    media_accepted_bucket: str = "media-accepted"
    media_image_maximum_bytes: int = IMAGE_MAXIMUM_BYTES
    # Of one creator: announced and not finished, announced within an hour, and kept.
    media_quota_open_uploads: int = 50
    media_quota_uploads_an_hour: int = 200
    media_quota_bytes_kept: int = 5 * 1024**3
    # Decoders run beside the server: memory for a pod is its own plus this many times that.
    media_decoder_processes: int = 2
    media_decoder_memory_bytes: int = CONFINEMENT.memory_bytes
    media_decoder_cpu_seconds: int = CONFINEMENT.cpu_seconds
    media_decoder_wall_seconds: float = CONFINEMENT.wall_seconds
    media_sweep_interval_seconds: float = 600.0
