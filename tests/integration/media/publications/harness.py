"""The media service with publications on a real Postgres, S3 and storefront. Assignments, levels
and workflows are substituted; `tests/workflows` tests the workflows."""

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

import httpx
from liaison.media.v1 import articles_pb2, media_pb2
from liaison.media.v1 import publications_pb2 as pb
from liaison.media.v1.articles_pb2_grpc import ArticleServiceStub
from liaison.media.v1.media_pb2_grpc import MediaServiceStub
from liaison.media.v1.publications_pb2_grpc import PublicationServiceStub
from pydantic import SecretStr

from devstack.access import Access
from devstack.storefront.server import Storefront
from devstack.storefront.settings import Settings as StorefrontSettings
from servicekit.errors import Reason, Unavailable
from servicekit.postgres.database import Database
from servicekit.timestamps import to_timestamp
from services.media.articles.catalogue.client import CatalogueClient, http_client
from services.media.articles.domain import AssignmentContext, StoreCoupons
from services.media.articles.drafts.handlers import DraftHandlers
from services.media.articles.drafts.store import DraftStore
from services.media.articles.quotas.rules import ArticleQuota
from services.media.articles.revisions.handlers import RevisionHandlers
from services.media.articles.revisions.store import RevisionStore
from services.media.articles.servicer import service as article_service
from services.media.articles.validation.validator import ArticleValidator
from services.media.publications.accepted_media import AcceptedMedia
from services.media.publications.delivery import Delivery, Feed, Post, SocialGateway
from services.media.publications.documents import Document
from services.media.publications.domain import Publication
from services.media.publications.feed.store import BucketFeed, BucketFiles
from services.media.publications.handlers import (
    PublicationHandlers,
    PublicationPolicy,
    StartWorkflow,
)
from services.media.publications.placements.handlers import PlacementHandlers
from services.media.publications.placements.store import PlacementStore
from services.media.publications.servicer import service as publication_service
from services.media.publications.social.client import SocialGatewayClient
from services.media.publications.store import PublicationStore
from services.media.uploads.servicer import service as media_service
from tests.integration.media.conftest import ACCEPTED
from tests.integration.media.conftest import Harness as MediaHarness
from tests.support.serving import Served, request_id, serving
from tests.unit.media.pictures import jpeg

PUBLIC = "media-public"
QUOTA = ArticleQuota(drafts_kept=100, article_bytes=2**30)
DAY = timedelta(days=1)
TOKEN = "storefront-token"  # noqa: S105 - of a server that lives as long as a test
ITEM = "1005001234567890"


class Assignments:
    """`anna` works for `acme` on `as1`, which gave coupons of its store."""

    async def assignment_context(
        self, assignment_id: str, creator_id: str
    ) -> AssignmentContext | None:
        if creator_id != "anna":
            return None
        return AssignmentContext(
            assignment_id, "acme", (StoreCoupons("911", ("SPRING", "SUMMER")),)
        )


class Levels:
    def __init__(self) -> None:
        self.levels = {"anna": "STAR", "bea": "JUNIOR"}

    async def level(self, creator_id: str) -> str:
        return self.levels.get(creator_id, "")


class Workflows:
    """Records the workflows that were started; fails while `is_unavailable`."""

    def __init__(self) -> None:
        self.started: list[tuple[str, str]] = []
        self.is_unavailable = False

    async def start(self, publication: Publication) -> None:
        if self.is_unavailable:
            raise Unavailable(Reason.DEPENDENCY_UNAVAILABLE, "The workflow engine does not answer")
        self.started.append((publication.id, publication.state))


class InterceptedFeed:
    """Passes calls to the feed, fails while `is_unavailable`, and calls `before_returning`."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self.is_unavailable = False
        self.before_returning: Any = None

    async def publish(self, document: Document) -> str:
        self._check()
        url = await self._feed.publish(document)
        if self.before_returning is not None:
            await self.before_returning()
        return url

    async def withdraw(self, key: str) -> None:
        self._check()
        await self._feed.withdraw(key)

    def _check(self) -> None:
        if self.is_unavailable:
            raise Unavailable(Reason.DEPENDENCY_UNAVAILABLE, "Object storage does not answer")


class InterceptedGateway:
    """Passes posts to the gateway and calls `before_returning`."""

    def __init__(self, gateway: SocialGateway) -> None:
        self._gateway = gateway
        self.before_returning: Any = None

    async def post(self, publication_id: str, post: Post) -> str:
        url = await self._gateway.post(publication_id, post)
        if self.before_returning is not None:
            await self.before_returning()
        return url


@dataclass
class Harness:
    """Creators `anna` and `bea`; `eve`, who is not admitted, and the brand `evil` own nothing."""

    served: Served
    media: MediaHarness
    handlers: PublicationHandlers
    store: PublicationStore
    feed: InterceptedFeed
    gateway: InterceptedGateway
    web: httpx.AsyncClient
    storefront: str
    levels: Levels = field(default_factory=Levels)
    workflows: Workflows = field(default_factory=Workflows)

    def creator(self, name: str = "anna") -> Any:
        return PublicationServiceStub(self.served.as_creator(name))

    def brand(self, name: str = "acme") -> Any:
        return PublicationServiceStub(self.served.as_brand(name))

    @property
    def operator(self) -> Any:
        return PublicationServiceStub(self.served.as_operator())

    @property
    def worker(self) -> Any:
        return PublicationServiceStub(self.served.as_service())

    @property
    def platform(self) -> Any:
        return PublicationServiceStub(self.served.as_platform())

    async def media_object(
        self, purpose: media_pb2.Purpose.ValueType, creator: str = "anna", width: int = 1400
    ) -> str:
        """The name of an accepted image with unique bytes."""
        uploads = MediaServiceStub(self.served.as_creator(creator))
        content = jpeg(width, 800, exif_ifd0_ImageDescription=uuid4().hex)
        upload = await uploads.CreateUpload(
            media_pb2.CreateUploadRequest(
                purpose=purpose,
                size_bytes=len(content),
                sha256=hashlib.sha256(content).hexdigest(),
                content_type="image/jpeg",
                request_id=request_id(),
            )
        )
        headers = {name: text for name, text in upload.headers.items() if name != "content-length"}
        answer = await self.web.put(upload.url, content=content, headers=headers)
        assert answer.status_code == 200
        found = await uploads.FinalizeUpload(
            media_pb2.FinalizeUploadRequest(name=upload.name, request_id=request_id())
        )
        assert found.state == media_pb2.MediaObject.STATE_ACCEPTED
        return str(found.name)

    async def article(
        self, creator: str = "anna", assignment: str = "", **content: Any
    ) -> articles_pb2.Article:
        values: dict[str, Any] = {
            "title": "A lamp",
            "introduction": "It shines. All night.",
            "blocks": [articles_pb2.Block(text=articles_pb2.TextBlock(text="Look at it."))],
        }
        articles = ArticleServiceStub(self.served.as_creator(creator))
        article: articles_pb2.Article = await articles.CreateArticle(
            articles_pb2.CreateArticleRequest(
                article=articles_pb2.Article(assignment=assignment, **values | content),
                request_id=request_id(),
            )
        )
        return article

    async def approved(self, **content: Any) -> pb.Publication:
        """A pending publication of an article by `anna` that `acme` approved."""
        article = await self.article(assignment="assignments/as1", **content)
        articles = ArticleServiceStub(self.served.as_service())
        sealed = await articles.SealArticles(
            articles_pb2.SealArticlesRequest(
                names=[article.name], assignment="assignments/as1", creator="creators/anna"
            )
        )
        await self.worker.PublishApprovedArticles(approval(*sealed.revisions, time=self.now()))
        name = f"publications/{article.name.removeprefix('articles/')}-feed"
        return await self.get(name)

    async def posted(self, creator: str = "anna", **content: Any) -> pb.Publication:
        """A pending publication of a creator's own post."""
        article = await self.article(creator, **content)
        publication: pb.Publication = await self.creator(creator).PublishArticle(
            pb.PublishArticleRequest(name=article.name, request_id=request_id())
        )
        return publication

    async def published(self, creator: str = "anna", **content: Any) -> pb.Publication:
        return await self.delivered(await self.posted(creator, **content))

    async def media_in(self, publication: pb.Publication) -> list[str]:
        """The ids of the media objects in its article."""
        articles = ArticleServiceStub(self.served.as_operator())
        revision = await articles.GetArticleRevision(
            articles_pb2.GetArticleRevisionRequest(name=publication.article_revision)
        )
        names = (block.image.media_object for block in revision.article.blocks)
        return [name.removeprefix("mediaObjects/") for name in names]

    async def delivered(self, publication: pb.Publication) -> pb.Publication:
        answer: pb.Publication = await self.worker.DeliverPublication(
            pb.DeliverPublicationRequest(name=publication.name)
        )
        return answer

    async def get(self, name: str) -> pb.Publication:
        answer: pb.Publication = await self.operator.GetPublication(
            pb.GetPublicationRequest(name=name)
        )
        return answer

    async def withdraw(self, publication: pb.Publication, **values: Any) -> pb.Publication:
        answer: pb.Publication = await self.operator.WithdrawPublication(
            withdrawal(publication, **values)
        )
        return answer

    async def status(self, url: str) -> int:
        """The HTTP status that a reader gets."""
        return (await self.web.get(url)).status_code

    async def reposts(self) -> list[dict[str, str]]:
        answer = await self.web.get(
            f"{self.storefront}/reposts", headers={"authorization": f"Bearer {TOKEN}"}
        )
        found: list[dict[str, str]] = answer.json()["reposts"]
        return found

    def now(self) -> datetime:
        return self.media.now()


def approval(*revisions: str, time: datetime) -> pb.PublishApprovedArticlesRequest:
    return pb.PublishApprovedArticlesRequest(
        article_revisions=revisions, approve_time=to_timestamp(time)
    )


def withdrawal(publication: pb.Publication, **values: Any) -> pb.WithdrawPublicationRequest:
    asked = {"reason": "A complaint", "request_id": request_id()} | values
    return pb.WithdrawPublicationRequest(name=publication.name, **asked)


@asynccontextmanager
async def publications_harness(
    access: Access,
    database: Database,
    media: MediaHarness,
    start_workflow: StartWorkflow | None = None,
) -> AsyncIterator[Harness]:
    with TemporaryDirectory() as folder:
        settings = StorefrontSettings(
            address="127.0.0.1:0", token=SecretStr(TOKEN), data_dir=Path(folder)
        )
        async with Storefront(settings) as storefront, http_client() as http:
            origin = f"http://{storefront.address}"
            levels, workflows = Levels(), Workflows()
            drafts, revisions = DraftStore(database), RevisionStore(database)
            store = PublicationStore(database)
            catalogue = CatalogueClient(origin, http)
            validator = ArticleValidator(media.store.list_by_id, catalogue, levels, [])
            draft_handlers = DraftHandlers(
                drafts, Assignments(), validator, catalogue, QUOTA, media.now
            )
            sealing = RevisionHandlers(
                revisions, drafts, validator, media.handlers.require_stored, QUOTA, media.now
            )
            feed = InterceptedFeed(BucketFeed(media.objects, PUBLIC, http))
            gateway = InterceptedGateway(SocialGatewayClient(http, origin, TOKEN))
            delivery = Delivery(
                store.get,
                revisions.get,
                AcceptedMedia(media.store).uploads,
                BucketFiles(media.objects, ACCEPTED, PUBLIC),
                feed,
                gateway,
            )
            policy = PublicationPolicy(DAY, frozenset({"EXPERT", "STAR"}))
            handlers = PublicationHandlers(
                store,
                drafts,
                revisions,
                sealing,
                levels,
                delivery,
                start_workflow or workflows.start,
                policy,
                media.now,
            )
            placements = PlacementHandlers(
                PlacementStore(database), store.lock, ["home-top", "instagram"], media.now
            )
            services = [
                media_service(media.handlers),
                article_service(draft_handlers, sealing),
                publication_service(handlers, placements),
            ]
            async with serving(access, services, database) as served:
                yield Harness(
                    served, media, handlers, store, feed, gateway, http, origin, levels, workflows
                )
