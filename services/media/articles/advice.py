"""What would make an article better. Pure, and never a refusal: these are the soft rules."""

from collections.abc import Iterator

from services.media.articles import links
from services.media.articles.domain import Content, Image, Kind, Product, Text
from services.media.articles.findings import Facts, Finding

# Fewer letters in capitals may be an abbreviation.
_SHOUTED_LETTERS = 8


def advice(content: Content, facts: Facts) -> Iterator[Finding]:
    """In the order of what it is about. What nobody can tell from the content is not told, such as
    whether a banner suits it (R64)."""
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
            path, "R65", "Seems to have text in it, which nobody can translate: use it without"
        )
    if upload and upload.resembles_another:
        yield Finding(
            path,
            "RESEMBLES_ANOTHER",
            "Looks nearly like an image of another creator: use one of your own",
        )


def _on_title(content: Content) -> Iterator[Finding]:
    title = content.title
    if not title:
        yield Finding(
            "article.title", "R70", "Add a short title that says what the post is about or good for"
        )
    elif title.isupper() and sum(map(str.isalpha, title)) >= _SHOUTED_LETTERS:
        yield Finding("article.title", "R70", "Is all in capitals, which is hard to read")


def _on_products(content: Content) -> Iterator[Finding]:
    """A post that speaks of products, as far as its words tell, and does not link to them."""
    linked = {links.item_id_in(block.url) for block in content.blocks if isinstance(block, Product)}
    texts = [("article.introduction", content.introduction)] + [
        (f"article.blocks[{number}].text.text", block.text)
        for number, block in enumerate(content.blocks)
        if isinstance(block, Text)
    ]
    speaks_of_platform = False
    for path, text in texts:
        item = links.first_item_id_in(text)
        if item and item not in linked:
            yield Finding(
                path,
                "R80",
                f"Names the product {item}: add it as a product, so that readers can click it",
            )
        speaks_of_platform = speaks_of_platform or links.speaks_of_aliexpress(text)
    if not linked and content.kind is Kind.LIST:
        yield Finding("article.blocks", "R80", "A list is of products: add them")
    elif not linked and speaks_of_platform:
        yield Finding("article.blocks", "R80", "Speaks of AliExpress: add the products it is about")
