"""What can be done with articles: writing, examining, sealing and showing them."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import chain
from typing import Protocol

from servicekit.auth import Principal, Role
from servicekit.clock import Clock
from servicekit.errors import (
    Aborted,
    FailedPrecondition,
    LiaisonError,
    Reason,
    Violation,
    illegal_state,
    invalid_fields,
    not_found,
    not_yours,
    require_found,
)
from servicekit.pagination import Page
from services.media.articles import links
from services.media.articles.changes import Asked
from services.media.articles.commands import (
    ChangedArticle,
    CreateArticle,
    DeleteArticle,
    GetArticle,
    GetArticleRevision,
    HoldArticleRevisions,
    ListArticles,
    LookUpProduct,
    SealArticles,
    UpdateArticle,
)
from services.media.articles.domain import (
    Article,
    CatalogueProduct,
    Change,
    Commission,
    Revision,
    RevisionHead,
    revision_id,
)
from services.media.articles.findings import Finding, Findings
from services.media.articles.quotas import MONTH, Quota, Usage, check
from services.media.articles.validator import Catalogue, Examiner

_FORGOTTEN_AT_ONCE = 1000


class ArticleStore(Protocol):
    """Where articles are kept.

    What writes takes a check, which sees what the creator used before and uses after: what it
    raises undoes all. Meanwhile nobody writes for the same creator.
    """

    async def add(self, change: Change, check: Callable[[Usage, Usage], None]) -> bool:
        """False when this very change was made before."""

    async def change(self, change_id: str) -> Change | None: ...

    async def article(self, article_id: str) -> Article | None:
        """None once it was thrown away."""

    async def articles(self, article_ids: Sequence[str]) -> list[Article]:
        """In this order; unknown ones, and those that were thrown away, are left out."""

    async def list_articles(
        self, creator_id: str | None, assignment_id: str | None, page: Page
    ) -> list[Article]:
        """Without their blocks."""

    async def save(self, change: Change, check: Callable[[Usage, Usage], None]) -> bool:
        """False when the article was changed or thrown away since the version before, or this very
        change was made before."""

    async def is_in_use(self, article: Article) -> bool:
        """Whether a revision of it is held or published."""

    async def delete(self, article: Article) -> bool:
        """False when it was changed, put to use or thrown away meanwhile. Its revisions stay."""

    async def seal(
        self, revisions: Sequence[Revision], check: Callable[[Usage, Usage], None]
    ) -> bool:
        """One creator's, all or none, each with a hold on its media: the revision itself needs
        them, whoever is shown it. One that is there already stays as it is. False when one of the
        articles was thrown away meanwhile."""

    async def revision(self, article_id: str, revision_id: str) -> Revision | None: ...

    async def revision_heads(self, ids: Sequence[tuple[str, str]]) -> list[RevisionHead]:
        """In this order; unknown ones are left out."""

    async def hold(self, revisions: Sequence[RevisionHead], holder: str, brand_id: str) -> None:
        """Along with the media in them: a brand that sees an article sees what is in it."""

    async def is_held_for(self, revision: Revision, brand_id: str) -> bool: ...

    async def forget_changes(self, before: datetime, size: int) -> int:
        """Those that were made before that, so many at most; answers with how many there were."""


class Assignments(Protocol):
    """The tasks service."""

    async def commission(self, assignment_id: str, creator_id: str) -> Commission | None:
        """None when there is no such assignment, or it is somebody else's."""


class StoredMedia(Protocol):
    async def require_stored(self, media_ids: Sequence[str]) -> None:
        """
        Raises:
            FailedPrecondition: storage does not have all of them.
        """


class ArticleHandlers:
    def __init__(
        self,
        store: ArticleStore,
        assignments: Assignments,
        examiner: Examiner,
        catalogue: Catalogue,
        media: StoredMedia,
        quota: Quota,
        clock: Clock,
    ) -> None:
        self._store = store
        self._assignments = assignments
        self._examiner = examiner
        self._catalogue = catalogue
        self._media = media
        self._quota = quota
        self._clock = clock

    async def create_article(self, who: Principal, command: CreateArticle) -> Article:
        creator_id, new = who.creator or "", command.article
        asked = Asked.of(
            f"{creator_id} CreateArticle", command.request_id, new.content(), new.assignment_id
        )
        try:
            return await self._create(asked, creator_id, new.assignment_id)
        except LiaisonError:
            # A repeated request gets its first answer, whatever became of everything since.
            if (made := await self._store.change(asked.change_id)) is None:
                raise
            return asked.first_answer(made)

    async def _create(self, asked: Asked, creator_id: str, assignment_id: str | None) -> Article:
        commission = await self._commission(assignment_id, creator_id) if assignment_id else None
        now = self._clock()
        article = Article(
            id=asked.change_id,
            creator_id=creator_id,
            content=asked.content,
            create_time=now,
            update_time=now,
            commission=commission,
        )
        if not await self._store.add(asked.change(article), self._check):
            raise _changed_meanwhile(article.name)
        return article

    async def get_article(self, who: Principal, command: GetArticle) -> Article:
        return await self._owned(who, command.id)

    async def list_articles(
        self, who: Principal, command: ListArticles, page: Page
    ) -> list[Article]:
        if who.role is Role.CREATOR and command.creator_id not in (None, who.creator):
            raise not_yours(f"creators/{command.creator_id}")
        return await self._store.list_articles(
            who.creator or command.creator_id, command.assignment_id, page
        )

    async def update_article(self, who: Principal, command: UpdateArticle) -> Article:
        new = command.article
        asked = Asked.of(
            f"{who.creator} UpdateArticle",
            command.request_id,
            new.content(),
            *(new.id, new.etag, new.assignment_id),
        )
        try:
            return await self._update(who, asked, new)
        except LiaisonError:
            # As above; perhaps this very request was sent twice, and the other came first.
            if (made := await self._store.change(asked.change_id)) is None:
                raise
            return asked.first_answer(made)

    async def _update(self, who: Principal, asked: Asked, new: ChangedArticle) -> Article:
        article = await self._owned(who, new.id)
        if new.assignment_id and new.assignment_id != _assignment_id(article):
            raise invalid_fields(
                Violation("article.assignment", "IMMUTABLE", "Stays as it was at first")
            )
        _check_etag(article, new.etag)
        updated = replace(
            article, content=asked.content, version=article.version + 1, update_time=self._clock()
        )
        if not await self._store.save(asked.change(updated), self._check):
            raise _changed_meanwhile(article.name)
        return updated

    async def delete_article(self, who: Principal, command: DeleteArticle) -> None:
        article = await self._owned(who, command.id)
        if command.etag:
            _check_etag(article, command.etag)
        if await self._store.is_in_use(article):
            raise illegal_state(article.name, "IN_USE", "DeleteArticle")
        if not await self._store.delete(article):
            raise _changed_meanwhile(article.name)

    async def validate_article(self, who: Principal, command: GetArticle) -> Findings:
        article = await self._owned(who, command.id)
        return (await self._examiner.examined(article)).findings

    async def look_up_product(self, command: LookUpProduct) -> CatalogueProduct:
        try:
            item = links.item_id(command.url)
        except links.NotUnderstood as error:
            raise invalid_fields(Violation("url", "R81", str(error))) from None
        product = (await self._catalogue.products([item])).get(item)
        return require_found(f"The product {item}", product)

    async def get_article_revision(self, who: Principal, command: GetArticleRevision) -> Revision:
        article_id, id_ = command.ids
        name = f"articles/{article_id}/revisions/{id_}"
        revision = who.require_found(name, await self._store.revision(article_id, id_))
        if who.brand is None:
            who.require_party(name, creator=revision.creator_id)
        elif not await self._store.is_held_for(revision, who.brand):
            raise not_yours(name)
        return revision

    async def seal_articles(self, command: SealArticles) -> list[Revision]:
        """Seals what is delivered for an assignment, all or none."""
        articles = await self._store.articles(command.ids)
        own = {one.id: one for one in articles if one.creator_id == command.creator_id}
        for article_id in command.ids:
            if article_id not in own:
                raise not_yours(f"articles/{article_id}")
        violations: list[Finding] = []
        revisions = []
        for number, article_id in enumerate(command.ids):
            path = f"submission.articles[{number}]"
            article = own[article_id]
            if _assignment_id(article) != command.assignment_id:
                violations.append(_written_for_another(path, command.assignment_id))
            found, revision = await self._revision(article)
            violations.extend(
                replace(one, field=f"{path}{one.field.removeprefix('article')}") for one in found
            )
            revisions.append(revision)
        if violations:
            raise _invalid(violations)
        await self._seal(revisions)
        return revisions

    async def seal_own(self, who: Principal, article_id: str) -> Revision:
        """Seals a post of a creator's own, to be published at once.

        Raises:
            PermissionDenied: it is somebody else's, or there is none.
            FailedPrecondition: it breaks rules, or is written for an assignment.
        """
        article = await self._owned(who, article_id)
        if article.commission is not None:
            raise illegal_state(
                article.name,
                "COMMISSIONED",
                "PublishArticle",
                detail=f"for assignments/{article.commission.assignment_id}, and is published when"
                " that work is approved",
            )
        found, revision = await self._revision(article)
        if found:
            raise _invalid(found)
        await self._seal([revision])
        return revision

    async def hold_article_revisions(self, command: HoldArticleRevisions) -> None:
        """Storage is not asked: it confirmed all of it when the revisions were sealed."""
        heads = await self._store.revision_heads(command.ids)
        if lacking := set(command.ids) - {(head.article_id, head.id) for head in heads}:
            article_id, id_ = min(lacking)
            raise not_found(f"articles/{article_id}/revisions/{id_}")
        await self._store.hold(heads, command.holder, command.brand_id)

    async def sweep(self) -> int:
        """Forgets some of the requests of more than a month ago; answers with how many."""
        return await self._store.forget_changes(self._clock() - MONTH, _FORGOTTEN_AT_ONCE)

    def _check(self, before: Usage, after: Usage) -> None:
        check(self._quota, before, after, self._clock())

    async def _commission(self, assignment_id: str, creator_id: str) -> Commission:
        commission = await self._assignments.commission(assignment_id, creator_id)
        if commission is None:
            raise not_yours(f"assignments/{assignment_id}")
        return commission

    async def _revision(self, article: Article) -> tuple[Sequence[Finding], Revision]:
        """What is wrong with an article, and the revision that it makes if nothing is."""
        examined = await self._examiner.examined(article)
        revision = Revision(
            article_id=article.id,
            id=revision_id(article.content),
            creator_id=article.creator_id,
            content=article.content,
            products=examined.products,
            seal_time=self._clock(),
            commission=article.commission,
        )
        return examined.findings.violations, revision

    async def _seal(self, revisions: Sequence[Revision]) -> None:
        shown = (revision.content.media_object_ids() for revision in revisions)
        await self._media.require_stored(sorted(set(chain.from_iterable(shown))))
        if not await self._store.seal(revisions, self._check):
            raise _changed_meanwhile("An article")

    async def _owned(self, who: Principal, article_id: str) -> Article:
        """The draft, if it is the caller's own or the caller may see all of them."""
        name = f"articles/{article_id}"
        article = who.require_found(name, await self._store.article(article_id))
        who.require_party(name, creator=article.creator_id)
        return article


def _assignment_id(article: Article) -> str:
    return article.commission.assignment_id if article.commission else ""


def _check_etag(article: Article, etag: str) -> None:
    if etag != article.etag:
        raise _changed_meanwhile(article.name)


def _changed_meanwhile(name: str) -> Aborted:
    return Aborted(Reason.ETAG_MISMATCH, f"{name} has been changed meanwhile: read it again")


def _written_for_another(path: str, assignment_id: str) -> Finding:
    return Finding(
        path, "ASSIGNMENT", f"Is not written for assignments/{assignment_id}: start one that is"
    )


def _invalid(found: Sequence[Finding]) -> FailedPrecondition:
    return FailedPrecondition(
        Reason.ARTICLE_INVALID,
        f"Rules are broken in {len(found)} places",
        violations=[Violation(one.field, one.rule, one.description) for one in found],
    )
