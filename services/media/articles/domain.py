"""Articles as they are kept: what a creator writes, and what was sealed of it. Pure.

What an article must be is in `rules`; what its addresses mean is in `links`.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum


class Kind(StrEnum):
    ARTICLE = "ARTICLE"
    LIST = "LIST"


@dataclass(frozen=True)
class Text:
    text: str


@dataclass(frozen=True)
class Image:
    media_object_id: str
    description: str = ""


@dataclass(frozen=True)
class Product:
    """`url` is what the creator pasted."""

    url: str
    description: str = ""


@dataclass(frozen=True)
class Video:
    """Exactly one of an uploaded video and a YouTube address."""

    media_object_id: str = ""
    youtube_url: str = ""
    description: str = ""


@dataclass(frozen=True)
class Coupon:
    store_id: str
    coupon_ids: tuple[str, ...]


Block = Text | Image | Product | Video | Coupon


@dataclass(frozen=True)
class Content:
    """All that a creator writes. Ids are bare; what is left out is empty."""

    kind: Kind = Kind.ARTICLE
    banner_id: str = ""
    title: str = ""
    introduction: str = ""
    blocks: tuple[Block, ...] = ()
    hashtags: tuple[str, ...] = ()

    def media_object_ids(self) -> Iterator[str]:
        """The banner and everything uploaded in the body, in order."""
        if self.banner_id:
            yield self.banner_id
        for block in self.blocks:
            if isinstance(block, Image | Video) and block.media_object_id:
                yield block.media_object_id


@dataclass(frozen=True)
class StoreCoupons:
    """What one store gave for a task (R92)."""

    store_id: str
    coupon_ids: tuple[str, ...]


@dataclass(frozen=True)
class Commission:
    """The assignment that an article is written for: whose, and with which coupons. It was frozen
    when the task was published, so it is read once."""

    assignment_id: str
    brand_id: str
    store_coupons: tuple[StoreCoupons, ...] = ()


@dataclass(frozen=True)
class Article:
    """A draft. `commission` is None for a post of the creator's own."""

    id: str
    creator_id: str
    content: Content
    create_time: datetime
    update_time: datetime
    commission: Commission | None = None
    version: int = 1
    latest_revision_id: str = ""

    @property
    def name(self) -> str:
        return f"articles/{self.id}"

    @property
    def etag(self) -> str:
        return str(self.version)


@dataclass(frozen=True)
class Change:
    """What one request made of an article; `id` follows from the request. It is kept without the
    article's content, which a repeated request brings along once more."""

    id: str
    request_sha256: str
    article: Article


@dataclass(frozen=True)
class CatalogueProduct:
    """A product as the catalogue knows it; `image_url` and `price` may be empty."""

    item_id: str
    url: str
    title: str
    image_url: str = ""
    price: str = ""


@dataclass(frozen=True, kw_only=True)
class RevisionHead:
    """Which article was sealed, without what was in it."""

    article_id: str
    id: str
    creator_id: str
    commission: Commission | None = None

    @property
    def name(self) -> str:
        return f"articles/{self.article_id}/revisions/{self.id}"


@dataclass(frozen=True, kw_only=True)
class Revision(RevisionHead):
    """An article as it was when it was sealed: nobody changes it."""

    content: Content
    # In order of their blocks.
    products: tuple[CatalogueProduct, ...]
    seal_time: datetime


def revision_id(content: Content) -> str:
    """Follows from the content alone: the same content is the same revision."""
    kinds = [type(block).__name__ for block in content.blocks]
    text = json.dumps([asdict(content), kinds], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]
