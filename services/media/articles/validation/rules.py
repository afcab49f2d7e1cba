"""The hard rules for articles, and confirmations of what was recognized. Pure.

Every rule is checked, whatever else is violated: a creator gets all violations at once. The soft
rules are in `advice`.
"""

import re
from collections import Counter
from collections.abc import Iterator

from servicekit.commands import is_blank
from services.media.articles import links
from services.media.articles.domain import Content, Coupon, Image, Product, Text, Video
from services.media.articles.normalization import to_nfc
from services.media.articles.validation import hashtags
from services.media.articles.validation.advice import advice
from services.media.articles.validation.findings import Facts, Finding, Findings
from services.media.levels import may_show_videos

TITLE_MAXIMUM = 60  # R72
INTRODUCTION_MAXIMUM = 1000  # R75
HASHTAGS_MAXIMUM = 5  # R78
MEDIA_OBJECTS_MAXIMUM = 200  # this platform's limit: each is confirmed and copied with the article
_DESCRIPTION_MAXIMUM = 1000  # this platform's limit for R86
PRODUCTS_MAXIMUM = 200  # this platform's limit of different products, each of which is looked up

_STORE_ID = re.compile(r"[0-9]{1,20}")
_COUPON_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


def validate(content: Content, facts: Facts) -> Findings:
    """Violations, advice and confirmations for an article."""
    return Findings(
        violations=tuple(_violations(content, facts)),
        advice=tuple(advice(content, facts)),
        confirmations=tuple(_confirmations(content, facts)),
    )


def item_ids(content: Content) -> tuple[str, ...]:
    """The products to look up for an article: each linked product once, in the order of the blocks,
    at most `PRODUCTS_MAXIMUM`."""
    return _linked(content)[:PRODUCTS_MAXIMUM]


def _linked(content: Content) -> tuple[str, ...]:
    found = (
        links.item_id_or_empty(block.url) for block in content.blocks if isinstance(block, Product)
    )
    return tuple(dict.fromkeys(filter(None, found)))


def characters(text: str) -> int:
    """The length for R72 and R75: code points in NFC, so that é is one however it was typed."""
    return len(to_nfc(text))


def _violations(content: Content, facts: Facts) -> Iterator[Finding]:
    if not (content.banner_id or content.title or content.introduction or content.blocks):
        yield Finding("article", "EMPTY", "Is empty: write something, or add an image")
    yield from _banner_violations(content, facts)
    yield from _text_violations("article.title", content.title, TITLE_MAXIMUM, "R72")
    yield from _text_violations(
        "article.introduction", content.introduction, INTRODUCTION_MAXIMUM, "R75"
    )
    yield from _hashtag_violations(content.hashtags)
    yield from _count_violations(content)
    looked_up = frozenset(item_ids(content))
    for path, block in _blocks(content):
        match block:
            case Text():
                if is_blank(block.text):
                    yield _blank(f"{path}.text.text")
            case Image():
                yield from _image_violations(f"{path}.image", block, facts)
            case Product():
                yield from _product_violations(f"{path}.product", block, facts, looked_up)
            case Video():
                yield from _video_violations(f"{path}.video", block, facts)
            case Coupon():
                yield from _coupon_violations(f"{path}.coupon", block, facts)


def _blocks(content: Content) -> Iterator[tuple[str, Text | Image | Product | Video | Coupon]]:
    for number, block in enumerate(content.blocks):
        yield f"article.blocks[{number}]", block


def _banner_violations(content: Content, facts: Facts) -> Iterator[Finding]:
    if content.banner_id:
        yield from _upload_violations("article.banner", content.banner_id, "BANNER", facts)
    elif content.kind in facts.kinds_with_banner:
        yield Finding(
            "article.banner", "R66", f"A post of the kind {content.kind} needs a banner: add one"
        )


def _text_violations(path: str, text: str, maximum: int, rule: str) -> Iterator[Finding]:
    """For a text that may be left out and has at most `maximum` characters."""
    if text and is_blank(text):
        yield _blank(path)
    if (length := characters(text)) > maximum:
        yield Finding(
            path,
            rule,
            f"{length:,} characters; at most {maximum:,} are allowed: remove {length - maximum:,}",
        )


def _blank(path: str) -> Finding:
    return Finding(path, "BLANK", "Has no visible characters: write something, or leave it out")


def _hashtag_violations(tags: tuple[str, ...]) -> Iterator[Finding]:
    if len(tags) > HASHTAGS_MAXIMUM:
        yield Finding(
            "article.hashtags",
            "R78",
            f"{len(tags)} hashtags; at most {HASHTAGS_MAXIMUM} are allowed: keep the best",
        )
    seen: Counter[str] = Counter()
    for number, tag in enumerate(tags):
        path = f"article.hashtags[{number}]"
        if not hashtags.is_hashtag(tag):
            yield Finding(
                path,
                "R79",
                "Must be # and words of letters, digits and _, joined by &, at most 50 characters"
                " in all, such as #Baby&Kids",
            )
        seen[hashtags.folded(tag)] += 1
        if seen[hashtags.folded(tag)] == 2:
            yield Finding(path, "UNIQUE", "Is a duplicate: remove it")


def _image_violations(path: str, image: Image, facts: Facts) -> Iterator[Finding]:
    yield from _upload_violations(f"{path}.media_object", image.media_object_id, "IMAGE", facts)
    yield from _description_violations(path, image.description)


def _count_violations(content: Content) -> Iterator[Finding]:
    for what, count, maximum in (
        ("uploads", len(set(content.media_object_ids())), MEDIA_OBJECTS_MAXIMUM),
        ("products", len(_linked(content)), PRODUCTS_MAXIMUM),
    ):
        if count > maximum:
            yield Finding(
                "article.blocks",
                "COUNT",
                f"{count:,} different {what}; at most {maximum} are allowed:"
                f" remove {count - maximum:,}",
            )


def _product_violations(
    path: str, product: Product, facts: Facts, looked_up: frozenset[str]
) -> Iterator[Finding]:
    try:
        item = links.item_id(product.url)
    except links.UnrecognizedUrl as error:
        yield Finding(f"{path}.url", "R81", str(error))
    else:
        if item in looked_up and item not in facts.products:
            yield Finding(
                f"{path}.url",
                "R81",
                f"AliExpress.com has no product {item} now: choose another one",
            )
    yield from _description_violations(path, product.description)


def _video_violations(path: str, video: Video, facts: Facts) -> Iterator[Finding]:
    if video.media_object_id:
        path_of_source = f"{path}.media_object"
        if not may_show_videos(facts.level):
            yield Finding(
                path_of_source,
                "R87",
                "Videos are for creators of the level INTERMEDIATE and above:"
                " link a YouTube video instead",
            )
        yield from _upload_violations(path_of_source, video.media_object_id, "VIDEO", facts)
    else:
        try:
            links.youtube_id(video.youtube_url)
        except links.UnrecognizedUrl as error:
            yield Finding(f"{path}.youtube_url", "R89", str(error))
    yield from _description_violations(path, video.description)


def _upload_violations(path: str, media_id: str, purpose: str, facts: Facts) -> Iterator[Finding]:
    """The finding is the same for uploads of others and for unknown ids."""
    upload = facts.uploads.get(media_id)
    if upload is None:
        yield Finding(
            path,
            "MEDIA_NOT_ACCEPTED",
            f"Is not an accepted upload of yours: upload it with the purpose {purpose},"
            " and finish the upload",
        )
    elif upload.purpose != purpose:
        yield Finding(
            path,
            "PURPOSE",
            f"Was uploaded with the purpose {upload.purpose}: upload it with {purpose}",
        )


def _description_violations(path: str, description: str) -> Iterator[Finding]:
    yield from _text_violations(f"{path}.description", description, _DESCRIPTION_MAXIMUM, "R86")


def _coupon_violations(path: str, coupon: Coupon, facts: Facts) -> Iterator[Finding]:
    stores = {
        store.store_id: store.coupon_ids
        for store in (facts.assignment_context.store_coupons if facts.assignment_context else ())
    }
    if facts.assignment_context is None:
        yield Finding(
            path,
            "R92",
            "Coupons are for articles that are written for a task: remove them",
        )
    elif coupon.store_id not in stores:
        yield Finding(
            f"{path}.store_id",
            "R92",
            "Is not a store of the task:"
            f" it must be one of {', '.join(stores) or 'none: remove the coupons'}",
        )
    if not _STORE_ID.fullmatch(coupon.store_id):
        yield Finding(f"{path}.store_id", "R90", "Must be the store's number, 1 to 20 digits")
    given = stores.get(coupon.store_id)
    for number, coupon_id in enumerate(coupon.coupon_ids):
        field = f"{path}.coupon_ids[{number}]"
        if not _COUPON_ID.fullmatch(coupon_id):
            yield Finding(field, "R90", "Must be 1 to 64 letters, digits, - and _")
        elif given is not None and coupon_id not in given:
            yield Finding(
                field, "R92", f"Is not a coupon of the store; its coupons are {', '.join(given)}"
            )


def _confirmations(content: Content, facts: Facts) -> Iterator[Finding]:
    for path, block in _blocks(content):
        if isinstance(block, Product) and (
            product := facts.products.get(links.item_id_or_empty(block.url))
        ):
            price = f", {product.price}" if product.price else ""
            yield Finding(f"{path}.product.url", "R81", f"Added: {product.title}{price}")
        elif isinstance(block, Video) and (video := links.youtube_id_or_empty(block.youtube_url)):
            yield Finding(
                f"{path}.video.youtube_url",
                "R89",
                f"The YouTube video is added: {links.youtube_watch_url(video)}",
            )
        elif isinstance(block, Coupon) and not any(_coupon_violations(path, block, facts)):
            count = len(block.coupon_ids)
            yield Finding(
                f"{path}.coupon",
                "R91",
                f"{count} coupon{'s' if count > 1 else ''} of the store {block.store_id} will be"
                " shown",
            )
