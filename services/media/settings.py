"""Settings of the media service, from the environment."""

from datetime import timedelta
from typing import Annotated, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import NoDecode

from servicekit.creator_levels import LEVELS
from servicekit.settings import (
    Address,
    BaseUrl,
    ClientSettings,
    DatabaseSettings,
    ObjectStoreSettings,
    ServerSettings,
    Settings,
    TemporalSettings,
)
from services.media.articles.domain import Kind
from services.media.images import pool as decoder_pool
from services.media.images import text_detection
from services.media.images.rules import IMAGE_MAXIMUM_BYTES
from services.media.videos import pool as prober_pool

Names = Annotated[list[str], NoDecode]


class PublicationSettings(Settings):
    """Lists are comma-separated."""

    media_public_bucket: str = "media-public"
    media_publication_window_seconds: float = Field(86_400.0, gt=0)  # R99
    # Levels of creators who may repost: none while reposting is off, all in the end (R94).
    media_repost_levels: Names = Field(default_factory=list)
    # The gateway to social networks, required for reposting.
    media_repost_url: BaseUrl | None = None
    media_repost_token: SecretStr = SecretStr("")
    media_placement_slots: Names = Field(
        default_factory=lambda: ["home-top", "inspiration-top", "instagram"]
    )

    @field_validator("media_repost_levels", "media_placement_slots", mode="before")
    @classmethod
    def _names(cls, value: object) -> object:
        if isinstance(value, str):
            return [name.strip() for name in value.split(",") if name.strip()]
        return value

    @field_validator("media_repost_levels")
    @classmethod
    def _known(cls, value: list[str]) -> list[str]:
        if unknown := set(value) - set(LEVELS):
            raise ValueError(f"unknown levels: {sorted(unknown)}")
        return value

    @model_validator(mode="after")
    def _has_gateway(self) -> Self:
        if self.media_repost_levels and self.media_repost_url is None:
            raise ValueError("media_repost_levels needs media_repost_url")
        return self

    @property
    def media_publication_window(self) -> timedelta:
        return timedelta(seconds=self.media_publication_window_seconds)


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
    # An article's text may be of any length (R85): this is about 2,500 pages.
    maximum_message_bytes: int = 16 * 1024 * 1024
    media_quarantine_bucket: str = "media-quarantine"
    media_accepted_bucket: str = "media-accepted"
    media_image_maximum_bytes: int = IMAGE_MAXIMUM_BYTES
    # Quotas of one creator: uploads not finalized; uploads created within an hour; bytes accepted
    # of uploads created within 30 days.
    media_quota_open_uploads: int = 50
    media_quota_uploads_an_hour: int = 200
    media_quota_bytes_a_month: int = 5 * 1024**3
    # Quotas of one creator: drafts never delivered or published; bytes of all drafts and of
    # revisions sealed within 30 days.
    media_quota_drafts_kept: int = 500
    media_quota_article_bytes: int = 256 * 1024**2
    # Decoders are processes of their own: a pod needs the server's memory plus that of each.
    media_decoder_processes: int = 2
    media_decoder_memory_bytes: int = decoder_pool.CONFINEMENT.memory_bytes
    media_decoder_cpu_seconds: int = decoder_pool.CONFINEMENT.cpu_seconds
    media_decoder_wall_seconds: float = decoder_pool.CONFINEMENT.wall_seconds
    # By the client that a video is made on. The platform's own limits are not known (R88).
    media_video_desktop_maximum_bytes: int = 500 * 1024 * 1024
    media_video_desktop_maximum_seconds: int = 600
    media_video_app_maximum_bytes: int = 200 * 1024 * 1024
    media_video_app_maximum_seconds: int = 180
    # Probers are processes of their own, too.
    media_prober_processes: int = 1
    media_prober_memory_bytes: int = prober_pool.CONFINEMENT.memory_bytes
    media_prober_cpu_seconds: int = prober_pool.CONFINEMENT.cpu_seconds
    media_prober_wall_seconds: float = prober_pool.CONFINEMENT.wall_seconds
    # Detects text in banners (R65); needs what `make ocr` installs.
    media_text_detection: bool = False
    media_text_reader_memory_bytes: int = text_detection.CONFINEMENT.memory_bytes
    media_text_reader_cpu_seconds: int = text_detection.CONFINEMENT.cpu_seconds
    media_text_reader_wall_seconds: float = text_detection.CONFINEMENT.wall_seconds
    media_sweep_interval_seconds: float = 600.0
    # The product catalogue: AliExpress.com's platform, or a stand-in for it.
    media_catalogue_url: str = "http://127.0.0.1:8093"
    # Kinds of posts that require a banner (R66), comma-separated, such as ARTICLE,LIST.
    media_kinds_with_banner: Annotated[list[Kind], NoDecode] = Field(default_factory=list)

    @field_validator("media_kinds_with_banner", mode="before")
    @classmethod
    def _kinds(cls, value: object) -> object:
        return list(filter(None, value.split(","))) if isinstance(value, str) else value
