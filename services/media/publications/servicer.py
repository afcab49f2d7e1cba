"""PublicationService over gRPC."""

from typing import Any

from liaison.media.v1 import publications_pb2 as pb
from liaison.media.v1.publications_pb2_grpc import (
    PublicationServiceServicer,
    add_PublicationServiceServicer_to_server,
)

from servicekit.auth import Role, current_principal
from servicekit.commands import parse
from servicekit.pagination import Cursor, page_of
from servicekit.rpc.access import Repeat, allow
from servicekit.rpc.server import Service
from services.media.publications import commands
from services.media.publications.handlers import PublicationHandlers
from services.media.publications.messages import publication_message
from services.media.publications.placements import commands as placement_commands
from services.media.publications.placements.handlers import PlacementHandlers
from services.media.publications.placements.messages import placement_message

_STAFF_AND_PLATFORMS = (Role.MEDIATOR, Role.OPERATOR, Role.PLATFORM)

# BY_COMMAND: a repeated request finds its publication by the id, which follows from the article.
ACCESS = {
    "PublishArticle": allow(Role.CREATOR, repeat=Repeat.BY_COMMAND),
    "GetPublication": allow(Role.BRAND, Role.CREATOR, Role.SERVICE, *_STAFF_AND_PLATFORMS),
    "ListPublications": allow(Role.BRAND, Role.CREATOR, *_STAFF_AND_PLATFORMS),
    "RepostArticle": allow(Role.CREATOR, repeat=Repeat.BY_COMMAND),
    "WithdrawPublication": allow(Role.OPERATOR, repeat=Repeat.BY_COMMAND),
    "CreatePlacement": allow(Role.OPERATOR),
    "CancelPlacement": allow(Role.OPERATOR),
    "ListPlacements": allow(*_STAFF_AND_PLATFORMS),
    "PublishApprovedArticles": allow(Role.SERVICE),
    "DeliverPublication": allow(Role.SERVICE),
    "MarkPublicationOverdue": allow(Role.SERVICE),
}


class PublicationServicer(PublicationServiceServicer):
    def __init__(self, publications: PublicationHandlers, placements: PlacementHandlers) -> None:
        self._publications = publications
        self._placements = placements

    async def PublishArticle(
        self, request: pb.PublishArticleRequest, context: Any
    ) -> pb.Publication:
        command = parse(commands.PublishArticle, request)
        return publication_message(
            await self._publications.publish_article(current_principal(), command)
        )

    async def GetPublication(
        self, request: pb.GetPublicationRequest, context: Any
    ) -> pb.Publication:
        command = parse(commands.GetPublication, request)
        return publication_message(
            await self._publications.get_publication(current_principal(), command)
        )

    async def ListPublications(
        self, request: pb.ListPublicationsRequest, context: Any
    ) -> pb.ListPublicationsResponse:
        who, command = current_principal(), parse(commands.ListPublications, request)
        page = page_of(request.page_size, request.page_token, who.brand, who.creator, command)
        found = await self._publications.list_publications(who, command, page)
        return pb.ListPublicationsResponse(
            publications=map(publication_message, found),
            next_page_token=page.token_after(found, lambda one: Cursor(one.request_time, one.id)),
        )

    async def RepostArticle(
        self, request: pb.RepostArticleRequest, context: Any
    ) -> pb.RepostArticleResponse:
        command = parse(commands.RepostArticle, request)
        posts = await self._publications.repost_article(current_principal(), command)
        return pb.RepostArticleResponse(publications=map(publication_message, posts))

    async def WithdrawPublication(
        self, request: pb.WithdrawPublicationRequest, context: Any
    ) -> pb.Publication:
        command = parse(commands.WithdrawPublication, request)
        who = current_principal()
        return publication_message(await self._publications.withdraw_publication(who, command))

    async def CreatePlacement(
        self, request: pb.CreatePlacementRequest, context: Any
    ) -> pb.Placement:
        command = parse(placement_commands.CreatePlacement, request)
        return placement_message(
            await self._placements.create_placement(current_principal(), command)
        )

    async def CancelPlacement(
        self, request: pb.CancelPlacementRequest, context: Any
    ) -> pb.Placement:
        command = parse(placement_commands.CancelPlacement, request)
        return placement_message(await self._placements.cancel_placement(command))

    async def ListPlacements(
        self, request: pb.ListPlacementsRequest, context: Any
    ) -> pb.ListPlacementsResponse:
        command = parse(placement_commands.ListPlacements, request)
        page = page_of(request.page_size, request.page_token, command)
        found = await self._placements.list_placements(command, page)
        return pb.ListPlacementsResponse(
            placements=map(placement_message, found),
            next_page_token=page.token_after(found, lambda one: Cursor(one.start_time, one.id)),
        )

    async def PublishApprovedArticles(
        self, request: pb.PublishApprovedArticlesRequest, context: Any
    ) -> pb.PublishApprovedArticlesResponse:
        command = parse(commands.PublishApprovedArticles, request)
        await self._publications.publish_approved_articles(command)
        return pb.PublishApprovedArticlesResponse()

    async def DeliverPublication(
        self, request: pb.DeliverPublicationRequest, context: Any
    ) -> pb.Publication:
        command = parse(commands.GetPublication, request)
        return publication_message(await self._publications.deliver_publication(command))

    async def MarkPublicationOverdue(
        self, request: pb.MarkPublicationOverdueRequest, context: Any
    ) -> pb.Publication:
        command = parse(commands.GetPublication, request)
        return publication_message(await self._publications.mark_publication_overdue(command))


def service(publications: PublicationHandlers, placements: PlacementHandlers) -> Service:
    return Service(
        pb.DESCRIPTOR.services_by_name["PublicationService"],
        add_PublicationServiceServicer_to_server,
        PublicationServicer(publications, placements),
        ACCESS,
    )
