"""Validates articles: gathers the facts that the rules need, and applies the rules."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from services.media.articles.domain import Article, CatalogueProduct, Content, Kind, Video
from services.media.articles.validation.findings import Facts, Findings, Upload
from services.media.articles.validation.rules import item_ids, validate
from services.media.domain import MediaObject, State
from services.media.levels import Levels

# Media objects by their ids, without unknown ones.
ListMedia = Callable[[Sequence[str]], Awaitable[list[MediaObject]]]


class Catalogue(Protocol):
    """The product catalogue of AliExpress.com."""

    async def products(self, item_ids: Iterable[str]) -> Mapping[str, CatalogueProduct]:
        """By item id, without unknown ones.

        Raises:
            Unavailable: the catalogue does not answer.
        """


@dataclass(frozen=True)
class ValidationResult:
    """`products` are those that the article links to, each once, in the order of their blocks."""

    findings: Findings
    products: tuple[CatalogueProduct, ...]


class ArticleValidator:
    def __init__(
        self,
        list_media: ListMedia,
        catalogue: Catalogue,
        levels: Levels,
        kinds_with_banner: Iterable[Kind],
    ) -> None:
        self._list_media = list_media
        self._catalogue = catalogue
        self._levels = levels
        self._kinds_with_banner = frozenset(kinds_with_banner)

    async def validate(self, article: Article) -> ValidationResult:
        """
        Raises:
            Unavailable: the catalogue or the creators service does not answer.
        """
        content = article.content
        linked = item_ids(content)
        products = await self._catalogue.products(linked) if linked else {}
        has_video = _has_uploaded_video(content)
        facts = Facts(
            uploads=await self._uploads(article),
            products=products,
            level=await self._levels.level(article.creator_id) if has_video else "",
            assignment_context=article.assignment_context,
            kinds_with_banner=self._kinds_with_banner,
        )
        return ValidationResult(
            validate(content, facts), tuple(products[item] for item in linked if item in products)
        )

    async def _uploads(self, article: Article) -> dict[str, Upload]:
        ids = list(dict.fromkeys(article.content.media_object_ids()))
        return {
            media.id: Upload(
                media.purpose,
                resembles_another=media.resembled is not None,
                has_text=media.has_text,
            )
            for media in (await self._list_media(ids) if ids else ())
            if media.owner == article.creator_id and media.state is State.ACCEPTED
        }


def _has_uploaded_video(content: Content) -> bool:
    return any(isinstance(block, Video) and block.media_object_id for block in content.blocks)
