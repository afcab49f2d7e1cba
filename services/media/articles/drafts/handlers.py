"""Use cases of drafts: creating, reading, changing, validating and deleting them."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Protocol

from servicekit.auth import Principal, Role
from servicekit.clock import Clock
from servicekit.errors import (
    Aborted,
    LiaisonError,
    Reason,
    Violation,
    illegal_state,
    invalid_fields,
    not_yours,
    require_found,
)
from servicekit.pagination import Page
from services.media.articles import links
from services.media.articles.commands import (
    ChangedArticle,
    CreateArticle,
    DeleteArticle,
    GetArticle,
    ListArticles,
    LookUpProduct,
    UpdateArticle,
)
from services.media.articles.domain import Article, AssignmentContext, CatalogueProduct, Change
from services.media.articles.drafts.changes import ChangeRequest
from services.media.articles.quotas.rules import MONTH, ArticleQuota, Usage, check_quota
from services.media.articles.validation.findings import Findings
from services.media.articles.validation.validator import ArticleValidator, Catalogue

_CHANGES_DELETED_AT_ONCE = 1000


class Drafts(Protocol):
    """Stores drafts.

    `check` gets the creator's usage before and after the write, and rolls it back by raising. No
    other write for the same creator runs meanwhile.
    """

    async def add(self, change: Change, check: Callable[[Usage, Usage], None]) -> bool:
        """False when the same change was made before."""

    async def get(self, article_id: str) -> Article | None:
        """None for a deleted draft, too."""

    async def list_by_id(self, article_ids: Sequence[str]) -> list[Article]:
        """In this order, without those that are unknown or deleted."""

    async def get_change(self, change_id: str) -> Change | None: ...

    async def list_drafts(
        self, creator_id: str | None, assignment_id: str | None, page: Page
    ) -> list[Article]:
        """Latest first, without their blocks."""

    async def save(self, change: Change, check: Callable[[Usage, Usage], None]) -> bool:
        """False when the draft was changed or deleted since its previous version, or the same
        change was made before."""

    async def is_in_use(self, article: Article) -> bool:
        """Whether a revision of it is held or published."""

    async def delete(self, article: Article) -> bool:
        """Deletes the draft and keeps its revisions. False when it was changed, held, published or
        deleted meanwhile."""

    async def delete_changes(self, before: datetime, size: int) -> int:
        """Deletes at most `size` changes that are older than `before`; returns how many."""


class Assignments(Protocol):
    """The tasks service."""

    async def assignment_context(
        self, assignment_id: str, creator_id: str
    ) -> AssignmentContext | None:
        """None when the assignment does not exist or is another creator's."""


class DraftHandlers:
    def __init__(
        self,
        drafts: Drafts,
        assignments: Assignments,
        validator: ArticleValidator,
        catalogue: Catalogue,
        quota: ArticleQuota,
        clock: Clock,
    ) -> None:
        self._drafts = drafts
        self._assignments = assignments
        self._validator = validator
        self._catalogue = catalogue
        self._quota = quota
        self._clock = clock

    async def create_article(self, who: Principal, command: CreateArticle) -> Article:
        creator_id, new = who.creator or "", command.article
        request = ChangeRequest.of(
            f"{creator_id} CreateArticle", command.request_id, new.content(), new.assignment_id
        )
        try:
            return await self._create(request, creator_id, new.assignment_id)
        except LiaisonError:
            # A repeated request gets its first response, whatever has changed since.
            if (change := await self._drafts.get_change(request.change_id)) is None:
                raise
            return request.first_response(change)

    async def get_article(self, who: Principal, command: GetArticle) -> Article:
        return await self._require_draft(who, command.id)

    async def list_articles(
        self, who: Principal, command: ListArticles, page: Page
    ) -> list[Article]:
        if who.role is Role.CREATOR and command.creator_id not in (None, who.creator):
            raise not_yours(f"creators/{command.creator_id}")
        return await self._drafts.list_drafts(
            who.creator or command.creator_id, command.assignment_id, page
        )

    async def update_article(self, who: Principal, command: UpdateArticle) -> Article:
        new = command.article
        request = ChangeRequest.of(
            f"{who.creator} UpdateArticle",
            command.request_id,
            new.content(),
            *(new.id, new.etag, new.assignment_id),
        )
        try:
            return await self._update(who, request, new)
        except LiaisonError:
            # As in `create_article`; the same request may also have been sent twice at once.
            if (change := await self._drafts.get_change(request.change_id)) is None:
                raise
            return request.first_response(change)

    async def delete_article(self, who: Principal, command: DeleteArticle) -> None:
        article = await self._require_draft(who, command.id)
        if command.etag:
            _check_etag(article, command.etag)
        if await self._drafts.is_in_use(article):
            raise illegal_state(article.name, "IN_USE", "DeleteArticle")
        if not await self._drafts.delete(article):
            raise changed_meanwhile(article.name)

    async def validate_article(self, who: Principal, command: GetArticle) -> Findings:
        article = await self._require_draft(who, command.id)
        return (await self._validator.validate(article)).findings

    async def look_up_product(self, command: LookUpProduct) -> CatalogueProduct:
        try:
            item_id = links.item_id(command.url)
        except links.UnrecognizedUrl as error:
            raise invalid_fields(Violation("url", "R81", str(error))) from None
        product = (await self._catalogue.products([item_id])).get(item_id)
        return require_found(f"The product {item_id}", product)

    async def sweep(self) -> int:
        """Deletes one batch of changes that are older than a month; returns how many."""
        return await self._drafts.delete_changes(self._clock() - MONTH, _CHANGES_DELETED_AT_ONCE)

    async def _create(
        self, request: ChangeRequest, creator_id: str, assignment_id: str | None
    ) -> Article:
        context = None
        if assignment_id:
            context = await self._assignments.assignment_context(assignment_id, creator_id)
            if context is None:
                raise not_yours(f"assignments/{assignment_id}")
        now = self._clock()
        article = Article(
            id=request.change_id,
            creator_id=creator_id,
            content=request.content,
            create_time=now,
            update_time=now,
            assignment_context=context,
        )
        if not await self._drafts.add(request.change(article), self._check_quota):
            raise changed_meanwhile(article.name)
        return article

    async def _update(self, who: Principal, request: ChangeRequest, new: ChangedArticle) -> Article:
        article = await self._require_draft(who, new.id)
        if new.assignment_id and new.assignment_id != article.assignment_id:
            raise invalid_fields(
                Violation("article.assignment", "IMMUTABLE", "Cannot be changed later")
            )
        _check_etag(article, new.etag)
        updated = replace(
            article, content=request.content, version=article.version + 1, update_time=self._clock()
        )
        if not await self._drafts.save(request.change(updated), self._check_quota):
            raise changed_meanwhile(article.name)
        return updated

    def _check_quota(self, before: Usage, after: Usage) -> None:
        check_quota(self._quota, before, after, self._clock())

    async def _require_draft(self, who: Principal, article_id: str) -> Article:
        return await require_draft(self._drafts, who, article_id)


async def require_draft(drafts: Drafts, who: Principal, article_id: str) -> Article:
    """The draft, if the caller is its creator, staff or a service.

    Raises:
        NotFound, PermissionDenied: as `Principal.require_found` and `require_party`.
    """
    name = f"articles/{article_id}"
    article = who.require_found(name, await drafts.get(article_id))
    who.require_party(name, creator=article.creator_id)
    return article


def changed_meanwhile(name: str) -> Aborted:
    return Aborted(Reason.ETAG_MISMATCH, f"{name} was changed meanwhile: read it again")


def _check_etag(article: Article, etag: str) -> None:
    if etag != article.etag:
        raise changed_meanwhile(article.name)
