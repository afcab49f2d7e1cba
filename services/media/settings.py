"""What the media service is told by its environment."""

from servicekit.settings import DatabaseSettings, ObjectStoreSettings, ServerSettings


class MediaSettings(ServerSettings, DatabaseSettings, ObjectStoreSettings):
    media_quarantine_bucket: str = "media-quarantine"
    media_accepted_bucket: str = "media-accepted"
    media_image_maximum_bytes: int = 25 * 1024 * 1024
    # Decoders run beside the server: memory for a pod is its own plus this many times that.
    media_decoder_processes: int = 2
    media_decoder_memory_bytes: int = 1536 * 1024 * 1024
    media_decoder_cpu_seconds: int = 8
    media_decoder_wall_seconds: float = 10.0  # below the deadline of the call that waits
    # Whether banners are searched for text (R65): needs what `make ocr` installs. One image needs
    # 0.7 GB, and 1.9 GB of addresses; more than the wall seconds, and it cannot be told.
    media_text_detection: bool = False
    media_text_reader_memory_bytes: int = 3 * 1024 * 1024 * 1024
    media_text_reader_cpu_seconds: int = 10
    media_text_reader_wall_seconds: float = 5.0
    media_sweep_interval_seconds: float = 600.0
