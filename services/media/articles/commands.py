"""Commands of ArticleService.

A draft may violate the rules in `validation`; the bounds here only limit its size.
"""

import sys
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, model_validator

from servicekit.commands import (
    Command,
    bounded_text,
    proto_enum,
    resource_id,
    resource_ids,
    unique_items,
    violation,
)
from services.media.articles.domain import (
    Block,
    Content,
    Coupon,
    Image,
    Kind,
    Product,
    Text,
    Video,
)
from services.media.articles.normalization import (
    EXPANSION_MAXIMUM,
    MARKS_MAXIMUM,
    is_stream_safe,
    to_nfc,
)
from services.media.uploads.commands import MediaId

_BLOCKS_MAXIMUM = 1000
_HASHTAGS_MAXIMUM = 50
_ANY_LENGTH = sys.maxsize  # R85: limited by the size of a message only
_URL_MAXIMUM = 2000

ArticleId = Annotated[str, resource_id("articles/{article}")]
AssignmentId = Annotated[str, resource_id("assignments/{assignment}")]
CreatorId = Annotated[str, resource_id("creators/{creator}")]
RevisionIds = Annotated[tuple[str, str], resource_ids("articles/{article}/revisions/{revision}")]


def _at_most(maximum: int) -> AfterValidator:
    def check(value: list[Any]) -> list[Any]:
        if len(value) > maximum:
            raise violation("COUNT", f"Must be at most {maximum} items, not {len(value)}")
        return value

    return AfterValidator(check)


def _normalized(maximum: int) -> AfterValidator:
    """Normalizes to NFC, in which text is stored, counted and compared. Precedes `bounded_text`,
    since text may be longer before normalization; text that is too long in any form is refused
    first."""

    def normalize(value: str) -> str:
        if len(value) > maximum * EXPANSION_MAXIMUM:
            raise violation("LENGTH", f"Must be at most {maximum} characters, not {len(value)}")
        if not is_stream_safe(value):
            raise violation(
                "COMBINING_MARKS", f"Must not put over {MARKS_MAXIMUM} marks on one letter"
            )
        return to_nfc(value)

    return AfterValidator(normalize)


Description = Annotated[str, _normalized(10_000), bounded_text(0, 10_000)]


class TextInput(Command):
    text: Annotated[str, _normalized(_ANY_LENGTH), bounded_text(1, _ANY_LENGTH)]

    def block(self) -> Text:
        return Text(self.text)


class ImageInput(Command):
    media_object: MediaId
    description: Description = ""

    def block(self) -> Image:
        return Image(self.media_object, self.description)


class ProductInput(Command):
    url: Annotated[str, bounded_text(1, _URL_MAXIMUM)]
    description: Description = ""

    def block(self) -> Product:
        return Product(self.url, self.description)


class VideoInput(Command):
    media_object: MediaId | None = None
    youtube_url: Annotated[str, bounded_text(0, _URL_MAXIMUM)] = ""
    description: Description = ""

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if (self.media_object is None) == (not self.youtube_url):
            raise violation("ONE_OF", "Must be either an uploaded video or a YouTube URL")
        return self

    def block(self) -> Video:
        return Video(self.media_object or "", self.youtube_url, self.description)


class CouponInput(Command):
    store_id: Annotated[str, bounded_text(1, 100)]
    coupon_ids: Annotated[list[Annotated[str, bounded_text(1, 100)]], unique_items(1, 50)]

    def block(self) -> Coupon:
        return Coupon(self.store_id, tuple(self.coupon_ids))


class BlockInput(Command):
    text: TextInput | None = None
    image: ImageInput | None = None
    product: ProductInput | None = None
    video: VideoInput | None = None
    coupon: CouponInput | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        # The `oneof` of the API ensures that there is at most one.
        if not any((self.text, self.image, self.product, self.video, self.coupon)):
            raise violation("ONE_OF", "Must be a text, an image, a product, a video or coupons")
        return self

    def block(self) -> Block:
        for one in (self.text, self.image, self.product, self.video, self.coupon):
            if one is not None:
                return one.block()
        raise AssertionError("validated above")


class ArticleInput(Command):
    assignment_id: AssignmentId | None = Field(None, alias="assignment")
    kind: Annotated[Kind, proto_enum("KIND_")] = Kind.ARTICLE
    banner_id: MediaId | None = Field(None, alias="banner")
    title: Annotated[str, _normalized(600), bounded_text(0, 600)] = ""
    introduction: Annotated[str, _normalized(10_000), bounded_text(0, 10_000)] = ""
    blocks: Annotated[list[BlockInput], _at_most(_BLOCKS_MAXIMUM)] = Field(default_factory=list)
    hashtags: Annotated[
        list[Annotated[str, _normalized(100), bounded_text(1, 100)]], _at_most(_HASHTAGS_MAXIMUM)
    ] = Field(default_factory=list)

    def content(self) -> Content:
        return Content(
            kind=self.kind,
            banner_id=self.banner_id or "",
            title=self.title,
            introduction=self.introduction,
            blocks=tuple(block.block() for block in self.blocks),
            hashtags=tuple(self.hashtags),
        )


class ChangedArticle(ArticleInput):
    id: ArticleId = Field(alias="name")
    etag: Annotated[str, bounded_text(1, 40, "REQUIRED")]


class CreateArticle(Command):
    article: ArticleInput
    request_id: str


class GetArticle(Command):
    id: ArticleId = Field(alias="name")


class ListArticles(Command):
    creator_id: CreatorId | None = Field(None, alias="creator")
    assignment_id: AssignmentId | None = Field(None, alias="assignment")


class UpdateArticle(Command):
    article: ChangedArticle
    request_id: str


class DeleteArticle(GetArticle):
    etag: Annotated[str, bounded_text(0, 40)] = ""


class LookUpProduct(Command):
    url: Annotated[str, bounded_text(1, _URL_MAXIMUM)]


class GetArticleRevision(Command):
    ids: RevisionIds = Field(alias="name")


class SealArticles(Command):
    ids: Annotated[list[ArticleId], unique_items(1, 20)] = Field(alias="names")
    assignment_id: AssignmentId = Field(alias="assignment")
    creator_id: CreatorId = Field(alias="creator")


class HoldArticleRevisions(Command):
    ids: Annotated[list[RevisionIds], unique_items(1, 20)] = Field(alias="names")
    holder: Annotated[str, bounded_text(1, 300)]
    brand_id: Annotated[str, resource_id("brands/{brand}")] = Field(alias="brand")
