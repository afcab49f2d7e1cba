"""Examining an article: what is known of it is gathered, then the rules look at both."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from services.media.articles.domain import Article, CatalogueProduct, Content, Kind, Video
from services.media.articles.findings import Facts, Findings, Upload
from services.media.articles.rules import examine, item_ids
from services.media.domain import MediaObject, State
from services.media.levels import Levels


class MediaShelf(Protocol):
    """Where media objects are kept."""

    async def list_by_id(self, media_ids: Sequence[str]) -> list[MediaObject]:
        """Unknown ones are left out."""


class Catalogue(Protocol):
    """What AliExpress.com knows of its products."""

    async def products(self, item_ids: Iterable[str]) -> Mapping[str, CatalogueProduct]:
        """By item id; unknown ones are left out.

        Raises:
            Unavailable: it does not answer.
        """


@dataclass(frozen=True)
class Examined:
    """`products` are those that the article links to, each once, in order of their blocks."""

    findings: Findings
    products: tuple[CatalogueProduct, ...]


class Examiner:
    def __init__(
        self,
        shelf: MediaShelf,
        catalogue: Catalogue,
        levels: Levels,
        kinds_with_banner: Iterable[Kind],
    ) -> None:
        self._shelf = shelf
        self._catalogue = catalogue
        self._levels = levels
        self._kinds_with_banner = frozenset(kinds_with_banner)

    async def examined(self, article: Article) -> Examined:
        """
        Raises:
            Unavailable: what it takes to tell is away.
        """
        content = article.content
        wanted = item_ids(content)
        products = await self._catalogue.products(wanted) if wanted else {}
        facts = Facts(
            uploads=await self._uploads(article),
            products=products,
            level=await self._levels.level(article.creator_id) if _has_video(content) else "",
            commission=article.commission,
            kinds_with_banner=self._kinds_with_banner,
        )
        return Examined(
            examine(content, facts), tuple(products[item] for item in wanted if item in products)
        )

    async def _uploads(self, article: Article) -> dict[str, Upload]:
        ids = list(dict.fromkeys(article.content.media_object_ids()))
        return {
            media.id: Upload(
                media.purpose,
                resembles_another=media.resembled is not None,
                has_text=media.has_text,
            )
            for media in (await self._shelf.list_by_id(ids) if ids else ())
            if media.owner == article.creator_id and media.state is State.ACCEPTED
        }


def _has_video(content: Content) -> bool:
    return any(isinstance(block, Video) and block.media_object_id for block in content.blocks)
