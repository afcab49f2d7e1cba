"""What a creator of the demo does over the API: uploads images, writes and publishes articles."""

from collections.abc import Iterable

import httpx
from liaison.media.v1 import articles_pb2, media_pb2, publications_pb2

from cli.demo.actors import Caller, call_until_answered, new_request_id, until
from cli.demo.pictures import Picture
from cli.demo.timeline import Timeline


class CreatorClient:
    def __init__(self, who: str, caller: Caller, timeline: Timeline) -> None:
        self._who, self._caller, self._timeline = who, caller, timeline

    async def upload(self, picture: Picture, purpose: str) -> str:
        """Uploads a picture directly to object storage; returns the media object's name."""
        media = self._caller.media
        upload = await call_until_answered(
            media.CreateUpload,
            media_pb2.CreateUploadRequest(
                purpose=media_pb2.Purpose.Value(f"PURPOSE_{purpose.upper()}"),
                size_bytes=len(picture.data),
                sha256=picture.sha256,
                content_type=picture.content_type,
                request_id=new_request_id(),
            ),
        )
        async with httpx.AsyncClient() as http:
            response = await http.put(
                upload.url, content=picture.data, headers=dict(upload.headers)
            )
            response.raise_for_status()
        found = await call_until_answered(
            media.FinalizeUpload,
            media_pb2.FinalizeUploadRequest(name=upload.name, request_id=new_request_id()),
        )
        if found.rejections:
            reasons = "; ".join(
                f"{one.code} ({one.rule_id}): {one.description}" for one in found.rejections
            )
            self._add(f"uploads {picture.name}: rejected. {reasons}")
        else:
            self._add(f"uploads {picture.name}: accepted, {found.width}x{found.height}")
        return found.name

    async def write(self, article: articles_pb2.Article) -> articles_pb2.Article:
        """Creates a draft."""
        draft = await call_until_answered(
            self._caller.articles.CreateArticle,
            articles_pb2.CreateArticleRequest(article=article, request_id=new_request_id()),
        )
        self._add(f"writes {draft.name}: '{draft.title}'")
        return draft

    async def look_up(self, url: str) -> None:
        """Looks up a product before it is added to an article (R81)."""
        product = await call_until_answered(
            self._caller.articles.LookUpProduct, articles_pb2.LookUpProductRequest(url=url)
        )
        self._add(f"pastes {url} and gets: {product.title}, {product.price}")

    async def rewrite(self, article: articles_pb2.Article) -> articles_pb2.Article:
        return await call_until_answered(
            self._caller.articles.UpdateArticle,
            articles_pb2.UpdateArticleRequest(article=article, request_id=new_request_id()),
        )

    async def validate(self, article: articles_pb2.Article) -> articles_pb2.ArticleValidation:
        found = await call_until_answered(
            self._caller.articles.ValidateArticle,
            articles_pb2.ValidateArticleRequest(name=article.name),
        )
        self._add("validates the article: " + ("valid" if found.is_valid else "not valid yet"))
        self._add_findings("wrong", found.violations)
        self._add_findings("advice", found.advice)
        self._add_findings("understood", found.confirmations)
        return found

    async def until_published(self, article: articles_pb2.Article) -> publications_pb2.Publication:
        listing = publications_pb2.ListPublicationsRequest(article=article.name)
        found = await until(
            lambda: call_until_answered(self._caller.publications.ListPublications, listing),
            lambda page: any(
                one.state == publications_pb2.Publication.STATE_PUBLISHED
                for one in page.publications
            ),
        )
        (publication,) = found.publications
        self._timeline.add("platform", "", f"publishes {self._who}'s article: {publication.url}")
        return publication

    def _add_findings(self, kind: str, findings: Iterable[articles_pb2.Finding]) -> None:
        for one in findings:
            rule = f"{one.field} {one.rule_id}".strip()
            self._timeline.add("platform", "", f"{kind}: {rule}: {one.description}")

    def _add(self, what: str) -> None:
        self._timeline.add("creator", self._who, what)
