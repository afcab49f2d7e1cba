"""Advice on articles: the soft rules, which refuse nothing. Pure."""

from collections.abc import Iterator

from services.media.articles import links
from services.media.articles.domain import Content, Image, Kind, Product, Text
from services.media.articles.validation.findings import Facts, Finding

# Fewer capital letters may be an abbreviation.
_ALL_CAPITALS_MINIMUM = 8


def advice(content: Content, facts: Facts) -> Iterator[Finding]:
    """In the order of the fields. Leaves out rules that cannot be checked automatically, such as
    whether a banner suits the content (R64)."""
    yield from _on_banner(content, facts)
    yield from _on_title(content)
    yield from _on_products(content)
    for number, block in enumerate(content.blocks):
        if isinstance(block, Image):
            path = f"article.blocks[{number}].image.media_object"
            yield from _on_picture(path, block.media_object_id, facts)
    if not content.hashtags:
        yield Finding(
            "article.hashtags",
            "R76",
            "Add up to 5 hashtags once the content is done: keywords, a category of products,"
            " a campaign or a trend (R77)",
        )


def _on_banner(content: Content, facts: Facts) -> Iterator[Finding]:
    if content.banner_id:
        yield from _on_picture("article.banner", content.banner_id, facts)
    elif content.kind not in facts.kinds_with_banner:
        yield Finding("article.banner", "R63", "Add a banner: it is what users see first")


def _on_picture(path: str, media_id: str, facts: Facts) -> Iterator[Finding]:
    upload = facts.uploads.get(media_id)
    if upload and upload.has_text:
        yield Finding(
            path,
            "R65",
            "Seems to contain text, which cannot be translated: use an image without text",
        )
    if upload and upload.resembles_another:
        yield Finding(
            path,
            "RESEMBLES_ANOTHER",
            "Closely resembles an image of another creator: use one of your own",
        )


def _on_title(content: Content) -> Iterator[Finding]:
    title = content.title
    if not title:
        yield Finding(
            "article.title", "R70", "Add a short title that says what the post is about or good for"
        )
    elif title.isupper() and sum(map(str.isalpha, title)) >= _ALL_CAPITALS_MINIMUM:
        yield Finding("article.title", "R70", "Is all in capitals, which is hard to read")


def _on_products(content: Content) -> Iterator[Finding]:
    """Products that the text mentions and that are not linked."""
    linked = {
        links.item_id_or_empty(block.url) for block in content.blocks if isinstance(block, Product)
    }
    texts = [("article.introduction", content.introduction)] + [
        (f"article.blocks[{number}].text.text", block.text)
        for number, block in enumerate(content.blocks)
        if isinstance(block, Text)
    ]
    mentions_platform = False
    for path, text in texts:
        item = links.find_item_id(text)
        if item and item not in linked:
            yield Finding(
                path,
                "R80",
                f"Mentions the product {item}: add it as a product, so that readers can click it",
            )
        mentions_platform = mentions_platform or links.mentions_aliexpress(text)
    if not linked and content.kind is Kind.LIST:
        yield Finding("article.blocks", "R80", "A list is of products: add them")
    elif not linked and mentions_platform:
        yield Finding("article.blocks", "R80", "Mentions AliExpress: add the products it is about")
