"""Articles: the content of drafts, and sealed revisions. Pure.

The rules for articles are in `validation`; URLs are parsed in `links`.
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
    """`url` is as the creator pasted it."""

    url: str
    description: str = ""


@dataclass(frozen=True)
class Video:
    """Has exactly one of `media_object_id` and `youtube_url`."""

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
    """What a creator writes. Ids are without their collection; what is left out is empty."""

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
    """The coupons of one store for a task (R92)."""

    store_id: str
    coupon_ids: tuple[str, ...]


@dataclass(frozen=True)
class AssignmentContext:
    """The assignment that an article is written for, with the task's brand and coupons. Those do
    not change after the task is published, so that they are read once."""

    assignment_id: str
    brand_id: str
    store_coupons: tuple[StoreCoupons, ...] = ()


@dataclass(frozen=True)
class Article:
    """A draft. `assignment_context` is None for a post of the creator's own."""

    id: str
    creator_id: str
    content: Content
    create_time: datetime
    update_time: datetime
    assignment_context: AssignmentContext | None = None
    version: int = 1
    latest_revision_id: str = ""

    @property
    def name(self) -> str:
        return f"articles/{self.id}"

    @property
    def assignment_id(self) -> str:
        """Empty for a post of the creator's own."""
        return self.assignment_context.assignment_id if self.assignment_context else ""

    @property
    def etag(self) -> str:
        return str(self.version)


@dataclass(frozen=True)
class Change:
    """The result of one request; `id` follows from the request. It is stored without the article's
    content, which a repeated request carries again."""

    id: str
    request_sha256: str
    article: Article


@dataclass(frozen=True)
class CatalogueProduct:
    """A product in the catalogue; `image_url` and `price` may be empty."""

    item_id: str
    url: str
    title: str
    image_url: str = ""
    price: str = ""


@dataclass(frozen=True, kw_only=True)
class RevisionHead:
    """A revision without its content."""

    article_id: str
    id: str
    creator_id: str
    assignment_context: AssignmentContext | None = None

    @property
    def name(self) -> str:
        return f"articles/{self.article_id}/revisions/{self.id}"


@dataclass(frozen=True, kw_only=True)
class Revision(RevisionHead):
    """An article as it was sealed; immutable."""

    content: Content
    # In order of their blocks.
    products: tuple[CatalogueProduct, ...]
    seal_time: datetime


def revision_id(content: Content) -> str:
    """A hash of the content: the same content is the same revision."""
    kinds = [type(block).__name__ for block in content.blocks]
    text = json.dumps([asdict(content), kinds], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]
