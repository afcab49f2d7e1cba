"""Content of articles as JSON columns. Pure: the stores wrap and unwrap the values.

Blocks are a column of their own: lists of articles leave them out, and they can take megabytes.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter

from services.media.articles.domain import (
    AssignmentContext,
    Block,
    CatalogueProduct,
    Content,
    Coupon,
    Image,
    Kind,
    Product,
    Text,
    Video,
)

_ASSIGNMENT_CONTEXT = TypeAdapter(AssignmentContext)
_PRODUCTS = TypeAdapter(tuple[CatalogueProduct, ...])
# By the type name that is stored with each block.
_BLOCKS: dict[str, TypeAdapter[Any]] = {
    kind.__name__: TypeAdapter(kind) for kind in (Text, Image, Product, Video, Coupon)
}


def dump_head(content: Content) -> dict[str, Any]:
    """Everything but the blocks."""
    return {
        "kind": content.kind,
        "banner_id": content.banner_id,
        "title": content.title,
        "introduction": content.introduction,
        "hashtags": content.hashtags,
    }


def dump_blocks(content: Content) -> list[dict[str, Any]]:
    return [_dump_block(block) for block in content.blocks]


def load_content(row: Mapping[str, Any]) -> Content:
    """From the columns `content` and `blocks`; values that are missing in them are empty."""
    head = row["content"]
    return Content(
        kind=Kind(head.get("kind", Kind.ARTICLE)),
        banner_id=head.get("banner_id", ""),
        title=head.get("title", ""),
        introduction=head.get("introduction", ""),
        hashtags=tuple(head.get("hashtags", ())),
        blocks=tuple(_BLOCKS[block.pop("block")].validate_python(block) for block in row["blocks"]),
    )


def dump_assignment_context(context: AssignmentContext) -> Any:
    return _ASSIGNMENT_CONTEXT.dump_python(context, mode="json")


def load_assignment_context(row: Mapping[str, Any]) -> AssignmentContext | None:
    stored = row["assignment_context"]
    return _ASSIGNMENT_CONTEXT.validate_python(stored) if stored else None


def dump_products(products: tuple[CatalogueProduct, ...]) -> Any:
    return _PRODUCTS.dump_python(products, mode="json")


def load_products(row: Mapping[str, Any]) -> tuple[CatalogueProduct, ...]:
    return _PRODUCTS.validate_python(row["products"])


def _dump_block(block: Block) -> dict[str, Any]:
    name = type(block).__name__
    return {"block": name, **_BLOCKS[name].dump_python(block, mode="json")}
