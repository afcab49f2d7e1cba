"""Use cases of revisions: sealing articles, reading what was sealed, and holding it for a brand."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from itertools import chain
from typing import Protocol

from servicekit.auth import Principal
from servicekit.clock import Clock
from servicekit.errors import (
    FailedPrecondition,
    Reason,
    Violation,
    illegal_state,
    not_found,
    not_yours,
)
from services.media.articles.commands import (
    GetArticleRevision,
    HoldArticleRevisions,
    SealArticles,
)
from services.media.articles.domain import Article, Revision, RevisionHead, revision_id
from services.media.articles.drafts.handlers import Drafts, changed_meanwhile, require_draft
from services.media.articles.quotas.rules import ArticleQuota, Usage, check_quota
from services.media.articles.validation.findings import Finding
from services.media.articles.validation.validator import ArticleValidator


class Revisions(Protocol):
    """Stores sealed revisions."""

    async def seal(
        self, revisions: Sequence[Revision], check: Callable[[Usage, Usage], None]
    ) -> bool:
        """Stores revisions of one creator, all or none, each with a hold on its media: a revision
        needs them whether or not a brand sees it. A revision that exists stays as it is. `check` is
        as for `Drafts`. False when one of the drafts was deleted meanwhile."""

    async def get(self, article_id: str, revision_id: str) -> Revision | None: ...

    async def list_heads(self, ids: Sequence[tuple[str, str]]) -> list[RevisionHead]:
        """By ids of article and revision, in this order, without unknown ones."""

    async def hold(self, revisions: Sequence[RevisionHead], holder: str, brand_id: str) -> None:
        """Holds the revisions and the media in them: a brand that may read an article may also read
        its media."""

    async def is_held_for(self, revision: Revision, brand_id: str) -> bool: ...


class RevisionHandlers:
    """`require_stored` gets ids of media objects and raises FailedPrecondition unless object
    storage has all of them."""

    def __init__(
        self,
        revisions: Revisions,
        drafts: Drafts,
        validator: ArticleValidator,
        require_stored: Callable[[Sequence[str]], Awaitable[None]],
        quota: ArticleQuota,
        clock: Clock,
    ) -> None:
        self._revisions = revisions
        self._drafts = drafts
        self._validator = validator
        self._require_stored = require_stored
        self._quota = quota
        self._clock = clock

    async def get_article_revision(self, who: Principal, command: GetArticleRevision) -> Revision:
        article_id, id_ = command.ids
        name = f"articles/{article_id}/revisions/{id_}"
        revision = who.require_found(name, await self._revisions.get(article_id, id_))
        if who.brand is None:
            who.require_party(name, creator=revision.creator_id)
        elif not await self._revisions.is_held_for(revision, who.brand):
            raise not_yours(name)
        return revision

    async def seal_articles(self, command: SealArticles) -> list[Revision]:
        """Seals the articles delivered for an assignment, all or none."""
        articles = await self._drafts.list_by_id(command.ids)
        own = {one.id: one for one in articles if one.creator_id == command.creator_id}
        for article_id in command.ids:
            if article_id not in own:
                raise not_yours(f"articles/{article_id}")
        violations: list[Finding] = []
        revisions = []
        for number, article_id in enumerate(command.ids):
            path = f"submission.articles[{number}]"
            article = own[article_id]
            if article.assignment_id != command.assignment_id:
                violations.append(_wrong_assignment(path, command.assignment_id))
            found, revision = await self._validated_revision(article)
            violations.extend(
                replace(one, field=f"{path}{one.field.removeprefix('article')}") for one in found
            )
            revisions.append(revision)
        if violations:
            raise _article_invalid(violations)
        await self._seal(revisions)
        return revisions

    async def seal_own_post(self, who: Principal, article_id: str) -> Revision:
        """Seals an article that is written for no assignment, to be published at once.

        Raises:
            PermissionDenied: the article does not exist or is another creator's.
            FailedPrecondition: it violates rules, or is written for an assignment.
        """
        article = await require_draft(self._drafts, who, article_id)
        if article.assignment_context is not None:
            raise illegal_state(
                article.name,
                "FOR_ASSIGNMENT",
                "PublishArticle",
                detail=f"for assignments/{article.assignment_id}, and is published when that work"
                " is approved",
            )
        violations, revision = await self._validated_revision(article)
        if violations:
            raise _article_invalid(violations)
        await self._seal([revision])
        return revision

    async def hold_article_revisions(self, command: HoldArticleRevisions) -> None:
        """Does not ask object storage: sealing confirmed that the media are stored."""
        heads = await require_heads(self._revisions, command.ids)
        await self._revisions.hold(heads, command.holder, command.brand_id)

    async def _validated_revision(self, article: Article) -> tuple[Sequence[Finding], Revision]:
        """The violations of an article, and the revision to seal if there are none."""
        result = await self._validator.validate(article)
        revision = Revision(
            article_id=article.id,
            id=revision_id(article.content),
            creator_id=article.creator_id,
            content=article.content,
            products=result.products,
            seal_time=self._clock(),
            assignment_context=article.assignment_context,
        )
        return result.findings.violations, revision

    async def _seal(self, revisions: Sequence[Revision]) -> None:
        media_ids = (revision.content.media_object_ids() for revision in revisions)
        await self._require_stored(sorted(set(chain.from_iterable(media_ids))))
        if not await self._revisions.seal(revisions, self._check_quota):
            raise changed_meanwhile("An article")

    def _check_quota(self, before: Usage, after: Usage) -> None:
        check_quota(self._quota, before, after, self._clock())


async def require_heads(revisions: Revisions, ids: Sequence[tuple[str, str]]) -> list[RevisionHead]:
    """
    Raises:
        NotFound: one of the revisions does not exist.
    """
    heads = await revisions.list_heads(ids)
    if missing := set(ids) - {(head.article_id, head.id) for head in heads}:
        article_id, id_ = min(missing)
        raise not_found(f"articles/{article_id}/revisions/{id_}")
    return heads


def _wrong_assignment(path: str, assignment_id: str) -> Finding:
    return Finding(
        path, "ASSIGNMENT", f"Is not written for assignments/{assignment_id}: start one that is"
    )


def _article_invalid(violations: Sequence[Finding]) -> FailedPrecondition:
    return FailedPrecondition(
        Reason.ARTICLE_INVALID,
        f"Rules are violated in {len(violations)} places",
        violations=[Violation(one.field, one.rule, one.description) for one in violations],
    )
