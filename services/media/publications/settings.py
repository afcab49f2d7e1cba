"""What publishing is told by the environment."""

from datetime import timedelta
from typing import Annotated, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import NoDecode

from servicekit.creator_levels import LEVELS
from servicekit.settings import BaseUrl, Settings

Names = Annotated[list[str], NoDecode]


class PublicationSettings(Settings):
    """Lists are names parted by commas."""

    media_public_bucket: str = "media-public"
    media_publication_window_seconds: float = Field(86_400.0, gt=0)  # R99
    # Levels of creators who may repost: none while it is off, all in the end (R94).
    media_repost_levels: Names = Field(default_factory=list)
    # The gateway to social networks; reposting needs one.
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
