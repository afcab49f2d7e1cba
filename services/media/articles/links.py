"""Parses the URLs in articles: AliExpress products and YouTube videos. Pure.

URLs are parsed, never opened. A URL must match as a whole, and only the item or video id in it is
used further: published URLs are built from the id, without anything else that a user pasted.
"""

import re

from servicekit.commands import is_plain

# Languages and countries with a host of their own, such as es.aliexpress.com.
_COUNTRIES = "ar|de|es|fr|he|id|it|ja|ko|nl|pl|pt|ru|th|tr|vi"
_ALIEXPRESS = rf"(?:(?:www|m|(?:m\.)?(?:{_COUNTRIES}))\.)?aliexpress\.com"
_ALIEXPRESS_ELSEWHERE = r"(?:(?:www|m)\.)?aliexpress\.(?:us|ru)"
# No user, port or backslash: every browser then ends the host at `/`, `?`, `#` or the end.
_SCHEME = r"(?:(?:https?:)?//)?"
_REST = r"(?:[?#].*)?"

_PRODUCT = re.compile(
    rf"(?i:{_SCHEME}(?:{_ALIEXPRESS}|{_ALIEXPRESS_ELSEWHERE}))"
    # Old URLs have slugs: /item/Summer-Dress/32812345678.html
    r"/(?:item/(?:[A-Za-z0-9_-]{1,300}/)?|i/)([1-9][0-9]{5,19})(?:\.html)?/?"
    rf"{_REST}"
)
_SHORT = re.compile(rf"(?i:{_SCHEME}(?:s\.click|a|star)\.aliexpress\.com)(?:/.*)?")
_NAME = "aliexpress"
_PRODUCT_IN_TEXT = re.compile(
    rf"(?<![\w.-])(?:[a-z]{{1,3}}\.){{0,2}}{_NAME}\.(?:com|us|ru)/[!-~]{{1,300}}"
)
# Limits of the search in a text: mentions of AliExpress, and characters around each.
_MENTIONS_READ = 100
_BEFORE, _AFTER = 12, 330

_VIDEO = r"([A-Za-z0-9_-]{11})"
_YOUTUBE = (
    re.compile(
        rf"(?i:{_SCHEME}(?:(?:www|m|music)\.)?youtube\.com)/(?:shorts|embed|live|v)/{_VIDEO}/?{_REST}"
    ),
    re.compile(rf"(?i:{_SCHEME}(?:www\.)?youtube-nocookie\.com)/embed/{_VIDEO}/?{_REST}"),
    re.compile(rf"(?i:{_SCHEME}(?:www\.)?youtu\.be)/{_VIDEO}/?{_REST}"),
)
_YOUTUBE_WATCH = re.compile(
    rf"(?i:{_SCHEME}(?:(?:www|m|music)\.)?youtube\.com)/watch/?\?([^#]*)(?:#.*)?"
)
_YOUTUBE_QUERY = re.compile(rf"v={_VIDEO}")

_NO_PRODUCT = (
    "Must be the URL of a product on AliExpress.com,"
    " such as https://www.aliexpress.com/item/1005001234567890.html"
)
_SHORT_LINK = (
    "A short link does not contain the product: open it, and paste the URL of the page that it"
    " leads to"
)
_NO_VIDEO = (
    "Must be the URL of a YouTube video, such as https://www.youtube.com/watch?v=dQw4w9WgXcQ"
)


class UnrecognizedUrl(Exception):
    """The URL has no known form; the message says which forms are accepted."""


def item_id(url: str) -> str:
    """The item id in the URL of a product on AliExpress.com or one of its country sites.

    Raises:
        UnrecognizedUrl: the URL is not one of a product.
    """
    pasted = _pasted(url)
    if found := _PRODUCT.fullmatch(pasted):
        return found[1]
    raise UnrecognizedUrl(_SHORT_LINK if _SHORT.fullmatch(pasted) else _NO_PRODUCT)


def item_id_or_empty(url: str) -> str:
    """As `item_id`, but empty where it would raise."""
    try:
        return item_id(url)
    except UnrecognizedUrl:
        return ""


def product_url(item: str) -> str:
    """The canonical URL of a product."""
    return f"https://www.aliexpress.com/item/{item}.html"


def mentions_aliexpress(text: str) -> bool:
    return _NAME in text.lower()


def find_item_id(text: str) -> str:
    """The item id in the first product URL in a text; empty when there is none.

    A text may be megabytes of anything: only the surroundings of the site's name are searched.
    """
    lowered, at = text.lower(), -1
    for _ in range(_MENTIONS_READ):
        at = lowered.find(_NAME, at + 1)
        if at < 0:
            break
        found = _PRODUCT_IN_TEXT.search(lowered[max(0, at - _BEFORE) : at + _AFTER])
        if found and (item := item_id_or_empty(found[0].rstrip(".,;:!?)]}'*"))):
            return item
    return ""


def youtube_id(url: str) -> str:
    """The video id in a YouTube URL.

    Raises:
        UnrecognizedUrl: the URL is not one of a video.
    """
    pasted = _pasted(url)
    for pattern in _YOUTUBE:
        if found := pattern.fullmatch(pasted):
            return found[1]
    if watched := _YOUTUBE_WATCH.fullmatch(pasted):
        videos = [part for part in watched[1].split("&") if part.startswith("v=")]
        # With two, it is unclear which one YouTube would play.
        if len(videos) == 1 and (found := _YOUTUBE_QUERY.fullmatch(videos[0])):
            return found[1]
    raise UnrecognizedUrl(_NO_VIDEO)


def youtube_id_or_empty(url: str) -> str:
    """As `youtube_id`, but empty where it would raise."""
    try:
        return youtube_id(url)
    except UnrecognizedUrl:
        return ""


def youtube_watch_url(video: str) -> str:
    return f"https://www.youtube.com/watch?v={video}"


def youtube_embed_url(video: str) -> str:
    """For a player in a page; sets no cookie before the video is played."""
    return f"https://www.youtube-nocookie.com/embed/{video}"


def _pasted(url: str) -> str:
    """The URL without surrounding white space; empty when it is refused.

    Browsers drop tabs and line breaks within URLs and read `\\` as `/`: URLs with any of them are
    refused, and so is everything beyond ASCII, where letters look alike.
    """
    pasted = url.strip(" \t\r\n")
    return pasted if is_plain(pasted) and "\\" not in pasted else ""
