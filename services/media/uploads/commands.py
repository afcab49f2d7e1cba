"""Requests to the media service, validated."""

from typing import Annotated

from pydantic import Field

from servicekit.commands import Command, bounded_text, proto_enum, resource_id, unique_items
from services.media.images.rules import Purpose, RenditionKind
from services.media.videos.rules import Client

MediaId = Annotated[str, resource_id("mediaObjects/{media_object}")]


class CreateUpload(Command):
    purpose: Annotated[Purpose, proto_enum("PURPOSE_")]
    size_bytes: int
    sha256: str | None = None
    content_type: str
    client: Annotated[Client, proto_enum("CLIENT_")] | None = None
    request_id: str


class FinalizeUpload(Command):
    id: Annotated[str, resource_id("uploads/{upload}")] = Field(alias="name")


class GetMediaObject(Command):
    id: MediaId = Field(alias="name")


class CreateDownload(GetMediaObject):
    rendition: Annotated[RenditionKind, proto_enum("RENDITION_")] | None = None


class BatchGetMediaObjects(Command):
    ids: Annotated[list[MediaId], unique_items(1, 100)] = Field(alias="names")


class HoldMediaObjects(Command):
    ids: Annotated[list[MediaId], unique_items(1, 100)] = Field(alias="names")
    holder: Annotated[str, bounded_text(1, 300)]
    brand_id: Annotated[str, resource_id("brands/{brand}")] | None = Field(None, alias="brand")
