"""Commands of PublicationService on publications."""

from typing import Annotated

from pydantic import AfterValidator, Field

from servicekit.commands import (
    Command,
    Instant,
    Visible,
    bounded_text,
    proto_enum,
    resource_id,
    resource_ids,
    unique_items,
    violation,
)
from services.media.publications.domain import Channel, State
from services.media.videos.rules import Client

PublicationId = Annotated[str, resource_id("publications/{publication}")]
RevisionIds = Annotated[tuple[str, str], resource_ids("articles/{article}/revisions/{revision}")]


def _network(channel: Channel) -> Channel:
    if channel is Channel.FEED:
        raise violation("R95", "Must be a social network: the article is on the feed already")
    return channel


Network = Annotated[Channel, proto_enum("CHANNEL_"), AfterValidator(_network)]


class PublishArticle(Command):
    article_id: Annotated[str, resource_id("articles/{article}")] = Field(alias="name")


class GetPublication(Command):
    id: PublicationId = Field(alias="name")


class ListPublications(Command):
    creator_id: Annotated[str, resource_id("creators/{creator}")] | None = Field(
        None, alias="creator"
    )
    brand_id: Annotated[str, resource_id("brands/{brand}")] | None = Field(None, alias="brand")
    article_id: Annotated[str, resource_id("articles/{article}")] | None = Field(
        None, alias="article"
    )
    state: Annotated[State, proto_enum("STATE_")] | None = None
    is_overdue: bool = False


class RepostArticle(Command):
    id: PublicationId = Field(alias="name")
    networks: Annotated[list[Network], unique_items(1, 5)]
    client: Annotated[Client, proto_enum("CLIENT_")]


class WithdrawPublication(Command):
    id: PublicationId = Field(alias="name")
    reason: Annotated[str, bounded_text(1, 1000), Visible]
    request_id: str


class PublishApprovedArticles(Command):
    revisions: Annotated[list[RevisionIds], unique_items(1, 20)] = Field(alias="article_revisions")
    approve_time: Instant
