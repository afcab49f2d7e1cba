"""ArticleService over gRPC."""

from typing import Any

from google.protobuf.empty_pb2 import Empty
from liaison.media.v1 import articles_pb2 as pb
from liaison.media.v1.articles_pb2_grpc import (
    ArticleServiceServicer,
    add_ArticleServiceServicer_to_server,
)

from servicekit.auth import STAFF, Role, current_principal
from servicekit.commands import parse
from servicekit.pagination import Cursor, page_of
from servicekit.rpc.access import Repeat, allow
from servicekit.rpc.server import Service
from services.media.articles import commands
from services.media.articles.drafts.handlers import DraftHandlers
from services.media.articles.messages import (
    article_message,
    product_message,
    revision_message,
    validation_message,
)
from services.media.articles.revisions.handlers import RevisionHandlers

_WRITER_AND_STAFF = (Role.CREATOR, *STAFF)

ACCESS = {
    # A draft may be megabytes in size: its first response is rebuilt from the repeated request.
    "CreateArticle": allow(Role.CREATOR, repeat=Repeat.BY_ID),
    "GetArticle": allow(*_WRITER_AND_STAFF),
    "ListArticles": allow(*_WRITER_AND_STAFF),
    "UpdateArticle": allow(Role.CREATOR, repeat=Repeat.BY_ID),
    "DeleteArticle": allow(Role.CREATOR),
    "ValidateArticle": allow(*_WRITER_AND_STAFF),
    "LookUpProduct": allow(*_WRITER_AND_STAFF),
    "GetArticleRevision": allow(*_WRITER_AND_STAFF, Role.BRAND, Role.SERVICE),
    "SealArticles": allow(Role.SERVICE),
    "HoldArticleRevisions": allow(Role.SERVICE),
}


class ArticleServicer(ArticleServiceServicer):
    def __init__(self, drafts: DraftHandlers, revisions: RevisionHandlers) -> None:
        self._drafts = drafts
        self._revisions = revisions

    async def CreateArticle(self, request: pb.CreateArticleRequest, context: Any) -> pb.Article:
        command = parse(commands.CreateArticle, request)
        return article_message(await self._drafts.create_article(current_principal(), command))

    async def GetArticle(self, request: pb.GetArticleRequest, context: Any) -> pb.Article:
        command = parse(commands.GetArticle, request)
        return article_message(await self._drafts.get_article(current_principal(), command))

    async def ListArticles(
        self, request: pb.ListArticlesRequest, context: Any
    ) -> pb.ListArticlesResponse:
        command = parse(commands.ListArticles, request)
        page = page_of(request.page_size, request.page_token, command)
        articles = await self._drafts.list_articles(current_principal(), command, page)
        shown, next_page_token = page.fitted(
            articles, article_message, lambda article: Cursor(article.create_time, article.id)
        )
        return pb.ListArticlesResponse(articles=shown, next_page_token=next_page_token)

    async def UpdateArticle(self, request: pb.UpdateArticleRequest, context: Any) -> pb.Article:
        command = parse(commands.UpdateArticle, request)
        return article_message(await self._drafts.update_article(current_principal(), command))

    async def DeleteArticle(self, request: pb.DeleteArticleRequest, context: Any) -> Empty:
        command = parse(commands.DeleteArticle, request)
        await self._drafts.delete_article(current_principal(), command)
        return Empty()

    async def ValidateArticle(
        self, request: pb.ValidateArticleRequest, context: Any
    ) -> pb.ArticleValidation:
        command = parse(commands.GetArticle, request)
        return validation_message(await self._drafts.validate_article(current_principal(), command))

    async def LookUpProduct(self, request: pb.LookUpProductRequest, context: Any) -> pb.Product:
        command = parse(commands.LookUpProduct, request)
        return product_message(await self._drafts.look_up_product(command))

    async def GetArticleRevision(
        self, request: pb.GetArticleRevisionRequest, context: Any
    ) -> pb.ArticleRevision:
        command = parse(commands.GetArticleRevision, request)
        return revision_message(
            await self._revisions.get_article_revision(current_principal(), command)
        )

    async def SealArticles(
        self, request: pb.SealArticlesRequest, context: Any
    ) -> pb.SealArticlesResponse:
        command = parse(commands.SealArticles, request)
        sealed = await self._revisions.seal_articles(command)
        return pb.SealArticlesResponse(revisions=[revision.name for revision in sealed])

    async def HoldArticleRevisions(
        self, request: pb.HoldArticleRevisionsRequest, context: Any
    ) -> pb.HoldArticleRevisionsResponse:
        command = parse(commands.HoldArticleRevisions, request)
        await self._revisions.hold_article_revisions(command)
        return pb.HoldArticleRevisionsResponse()


def service(drafts: DraftHandlers, revisions: RevisionHandlers) -> Service:
    return Service(
        pb.DESCRIPTOR.services_by_name["ArticleService"],
        add_ArticleServiceServicer_to_server,
        ArticleServicer(drafts, revisions),
        ACCESS,
    )
