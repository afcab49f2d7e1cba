"""ArticleService on a real Postgres, S3 and storefront, and its callers.

Only the other services are substituted: assignments of tasks, and levels of creators.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from liaison.media.v1 import articles_pb2 as pb
from liaison.media.v1 import media_pb2
from liaison.media.v1.articles_pb2_grpc import ArticleServiceStub
from liaison.media.v1.media_pb2_grpc import MediaServiceStub

from servicekit.postgres.database import Database
from services.media.articles.catalogue.client import CatalogueClient
from services.media.articles.domain import AssignmentContext, StoreCoupons
from services.media.articles.drafts.handlers import DraftHandlers
from services.media.articles.drafts.store import DraftStore
from services.media.articles.quotas.rules import ArticleQuota
from services.media.articles.revisions.handlers import RevisionHandlers
from services.media.articles.revisions.store import RevisionStore
from tests.integration.media.conftest import Harness as MediaHarness
from tests.integration.media.uploading import finalized
from tests.support.serving import Served, request_id
from tests.unit.media.pictures import jpeg

if TYPE_CHECKING:  # the stub's async face is there for type checkers only
    from liaison.media.v1.articles_pb2_grpc import ArticleServiceAsyncStub

ITEM, ABSENT_ITEM = "1005001234567890", "1005001234567404"
ADDRESS = f"https://www.aliexpress.com/item/{ITEM}.html"
# Enough for every test but those of quotas.
QUOTA = ArticleQuota(drafts_kept=20, article_bytes=64 * 1024 * 1024)
COUPONS = (StoreCoupons("123", ("A1", "B2")), StoreCoupons("77", ("C3",)))


@dataclass
class Assignments:
    """The tasks service: by assignment id the creator and the context."""

    known: dict[str, tuple[str, AssignmentContext]] = field(default_factory=dict)

    def add(self, id_: str, creator: str, coupons: tuple[StoreCoupons, ...] = ()) -> str:
        self.known[id_] = (creator, AssignmentContext(id_, "acme", coupons))
        return f"assignments/{id_}"

    async def assignment_context(
        self, assignment_id: str, creator_id: str
    ) -> AssignmentContext | None:
        owner, assignment_context = self.known.get(assignment_id, ("", None))
        return assignment_context if owner == creator_id else None


@dataclass
class Levels:
    known: dict[str, str] = field(default_factory=lambda: {"anna": "NEWCOMER"})

    async def level(self, creator_id: str) -> str:
        return self.known.get(creator_id, "")


@dataclass
class Harness:
    """Creators `anna` and `boris`; `boris` works for the brand `acme`."""

    served: Served
    media: MediaHarness
    database: Database
    handlers: DraftHandlers
    revision_handlers: RevisionHandlers
    drafts: DraftStore
    revisions: RevisionStore
    assignments: Assignments
    levels: Levels
    catalogue: CatalogueClient

    def creator(self, name: str = "anna") -> "ArticleServiceAsyncStub":
        return stub(self.served.as_creator(name))

    def brand(self, name: str = "acme") -> "ArticleServiceAsyncStub":
        return stub(self.served.as_brand(name))

    @property
    def operator(self) -> "ArticleServiceAsyncStub":
        return stub(self.served.as_operator())

    @property
    def service(self) -> "ArticleServiceAsyncStub":
        return stub(self.served.as_service())

    async def created(self, name: str = "anna", **content: Any) -> pb.Article:
        return await self.creator(name).CreateArticle(creation(**content))

    async def validated(self, article: pb.Article) -> pb.ArticleValidation:
        name = article.creator.removeprefix("creators/")
        return await self.creator(name).ValidateArticle(
            pb.ValidateArticleRequest(name=article.name)
        )

    async def violations(self, **content: Any) -> list[tuple[str, str]]:
        """Violations of an article by anna: field and rule id."""
        validation = await self.validated(await self.created(**content))
        assert validation.is_valid == (not validation.violations)
        return field_and_rule(validation.violations)

    async def picture(self, purpose: media_pb2.Purpose.ValueType = media_pb2.PURPOSE_IMAGE) -> str:
        """The name of an accepted image of anna's."""
        return (await finalized(self.served, jpeg(), purpose=purpose)).name

    async def sealed(self, *articles: pb.Article) -> list[str]:
        response = await self.service.SealArticles(sealing(*articles))
        return list(response.revisions)

    def media_reader(self, channel: Any) -> Any:
        return MediaServiceStub(channel)


def stub(channel: Any) -> "ArticleServiceAsyncStub":
    return ArticleServiceStub(channel)


def creation(**content: Any) -> pb.CreateArticleRequest:
    return pb.CreateArticleRequest(article=pb.Article(**content), request_id=request_id())


def change(article: pb.Article, **content: Any) -> pb.UpdateArticleRequest:
    return pb.UpdateArticleRequest(
        article=pb.Article(name=article.name, etag=article.etag, **content),
        request_id=request_id(),
    )


def deletion(name: str, etag: str = "") -> pb.DeleteArticleRequest:
    return pb.DeleteArticleRequest(name=name, etag=etag, request_id=request_id())


def sealing(*articles: pb.Article) -> pb.SealArticlesRequest:
    return pb.SealArticlesRequest(
        names=[article.name for article in articles],
        assignment=articles[0].assignment,
        creator=articles[0].creator,
    )


def text(words: str) -> pb.Block:
    return pb.Block(text=pb.TextBlock(text=words))


def image(name: str, description: str = "") -> pb.Block:
    return pb.Block(image=pb.ImageBlock(media_object=name, description=description))


def product(url: str = ADDRESS, description: str = "") -> pb.Block:
    return pb.Block(product=pb.ProductBlock(url=url, description=description))


def youtube(url: str) -> pb.Block:
    return pb.Block(video=pb.VideoBlock(youtube_url=url))


def uploaded_video(name: str) -> pb.Block:
    return pb.Block(video=pb.VideoBlock(media_object=name))


def coupon(store_id: str, *coupon_ids: str) -> pb.Block:
    return pb.Block(coupon=pb.CouponBlock(store_id=store_id, coupon_ids=coupon_ids))


def field_and_rule(findings: Sequence[pb.Finding]) -> list[tuple[str, str]]:
    return [(finding.field, finding.rule_id) for finding in findings]
