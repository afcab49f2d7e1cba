"""What the media service is told by its environment."""

from typing import Annotated

from pydantic import Field, field_validator
from pydantic_settings import NoDecode

from servicekit.settings import (
    Address,
    ClientSettings,
    DatabaseSettings,
    ObjectStoreSettings,
    ServerSettings,
    TemporalSettings,
)
from services.media.articles.domain import Kind
from services.media.images import pool as decoder_pool
from services.media.images import text_detection
from services.media.images.rules import IMAGE_MAXIMUM_BYTES
from services.media.publications.settings import PublicationSettings
from services.media.videos import pool as video_probing


class MediaSettings(
    ServerSettings,
    DatabaseSettings,
    ClientSettings,
    TemporalSettings,
    ObjectStoreSettings,
    PublicationSettings,
):
    creators_address: Address = "127.0.0.1:15051"
    tasks_address: Address = "127.0.0.1:15052"
    # The text of an article may be of any length (R85): of some 2,500 pages, that is.
    maximum_message_bytes: int = 16 * 1024 * 1024
    media_quarantine_bucket: str = "media-quarantine"
    media_accepted_bucket: str = "media-accepted"
    media_image_maximum_bytes: int = IMAGE_MAXIMUM_BYTES
    # Of one creator: announced and not finished; announced within an hour; accepted, of what was
    # announced within 30 days.
    media_quota_open_uploads: int = 50
    media_quota_uploads_an_hour: int = 200
    media_quota_bytes_a_month: int = 5 * 1024**3
    # Of one creator: drafts of which nothing was delivered or published, and bytes of all drafts
    # and of what was sealed within 30 days.
    media_quota_drafts_kept: int = 500
    media_quota_article_bytes: int = 256 * 1024**2
    # Decoders run beside the server: memory for a pod is its own plus this many times that.
    media_decoder_processes: int = 2
    media_decoder_memory_bytes: int = decoder_pool.CONFINEMENT.memory_bytes
    media_decoder_cpu_seconds: int = decoder_pool.CONFINEMENT.cpu_seconds
    media_decoder_wall_seconds: float = decoder_pool.CONFINEMENT.wall_seconds
    # By the client that a video is made on. The platform's own limits are not known (R88).
    media_video_desktop_maximum_bytes: int = 500 * 1024 * 1024
    media_video_desktop_maximum_seconds: int = 600
    media_video_app_maximum_bytes: int = 200 * 1024 * 1024
    media_video_app_maximum_seconds: int = 180
    # Probers run beside the server, too.
    media_prober_processes: int = 1
    media_prober_memory_bytes: int = video_probing.CONFINEMENT.memory_bytes
    media_prober_cpu_seconds: int = video_probing.CONFINEMENT.cpu_seconds
    media_prober_wall_seconds: float = video_probing.CONFINEMENT.wall_seconds
    # Whether banners are searched for text (R65): it needs what `make ocr` installs.
    media_text_detection: bool = False
    media_text_reader_memory_bytes: int = text_detection.CONFINEMENT.memory_bytes
    media_text_reader_cpu_seconds: int = text_detection.CONFINEMENT.cpu_seconds
    media_text_reader_wall_seconds: float = text_detection.CONFINEMENT.wall_seconds
    media_sweep_interval_seconds: float = 600.0
    # Of products: AliExpress.com's own platform, or what stands in for it.
    media_catalogue_url: str = "http://127.0.0.1:8093"
    # Kinds of posts, such as ARTICLE,LIST, that do not do without a banner (R66).
    media_kinds_with_banner: Annotated[list[Kind], NoDecode] = Field(default_factory=list)

    @field_validator("media_kinds_with_banner", mode="before")
    @classmethod
    def _kinds(cls, value: object) -> object:
        return list(filter(None, value.split(","))) if isinstance(value, str) else value
