"""What the addresses in an article mean: AliExpress products and YouTube videos. Pure.

An address is only read, never opened. It is matched as a whole, and what it stands for is written
anew from the one number or id in it: nothing else of what a stranger pasted goes on from here.
"""

import re

from servicekit.commands import is_plain

# Languages and countries that AliExpress has a host of their own for, such as es.aliexpress.com.
_COUNTRIES = "ar|de|es|fr|he|id|it|ja|ko|nl|pl|pt|ru|th|tr|vi"
_ALIEXPRESS = rf"(?:(?:www|m|(?:m\.)?(?:{_COUNTRIES}))\.)?aliexpress\.com"
_ALIEXPRESS_ELSEWHERE = r"(?:(?:www|m)\.)?aliexpress\.(?:us|ru)"
# No user, no port, no backslash: a host ends at `/`, `?`, `#` or the end, for every browser.
_SCHEME = r"(?:(?:https?:)?//)?"
_REST = r"(?:[?#].*)?"

_PRODUCT = re.compile(
    rf"(?i:{_SCHEME}(?:{_ALIEXPRESS}|{_ALIEXPRESS_ELSEWHERE}))"
    # Slugs are of old addresses: /item/Summer-Dress/32812345678.html
    r"/(?:item/(?:[A-Za-z0-9_-]{1,300}/)?|i/)([1-9][0-9]{5,19})(?:\.html)?/?"
    rf"{_REST}"
)
_SHORT = re.compile(rf"(?i:{_SCHEME}(?:s\.click|a|star)\.aliexpress\.com)(?:/.*)?")
_NAME = "aliexpress"
_PRODUCT_IN_TEXT = re.compile(
    rf"(?<![\w.-])(?:[a-z]{{1,3}}\.){{0,2}}{_NAME}\.(?:com|us|ru)/[!-~]{{1,300}}"
)
# How often a text may name AliExpress before it is not read on, and what is read around each.
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
    "Must be the address of a product on AliExpress.com,"
    " such as https://www.aliexpress.com/item/1005001234567890.html"
)
_SHORT_LINK = (
    "A short link does not tell its product: open it, and paste the address of the page that it"
    " leads to"
)
_NO_VIDEO = (
    "Must be the address of a YouTube video, such as https://www.youtube.com/watch?v=dQw4w9WgXcQ"
)


class NotUnderstood(Exception):
    """The address is none that we know; the text says what would be one."""


def item_id(address: str) -> str:
    """The number of the product that an address on AliExpress.com, or on one of its country sites,
    is of.

    Raises:
        NotUnderstood: it is the address of something else, or seems to be.
    """
    pasted = _pasted(address)
    if found := _PRODUCT.fullmatch(pasted):
        return found[1]
    raise NotUnderstood(_SHORT_LINK if _SHORT.fullmatch(pasted) else _NO_PRODUCT)


def item_id_in(address: str) -> str:
    """As `item_id`, but empty where it would raise."""
    try:
        return item_id(address)
    except NotUnderstood:
        return ""


def product_address(item: str) -> str:
    """The one address of a product."""
    return f"https://www.aliexpress.com/item/{item}.html"


def speaks_of_aliexpress(text: str) -> bool:
    return _NAME in text.lower()


def first_item_id_in(text: str) -> str:
    """The product whose address stands first in a text; empty when none does.

    A text may be of megabytes, of anything: it is searched for the name alone.
    """
    lowered, at = text.lower(), -1
    for _ in range(_MENTIONS_READ):
        at = lowered.find(_NAME, at + 1)
        if at < 0:
            break
        found = _PRODUCT_IN_TEXT.search(lowered[max(0, at - _BEFORE) : at + _AFTER])
        if found and (item := item_id_in(found[0].rstrip(".,;:!?)]}'*"))):
            return item
    return ""


def youtube_id(address: str) -> str:
    """The id of the video that an address on YouTube is of.

    Raises:
        NotUnderstood: it is the address of something else, or seems to be.
    """
    pasted = _pasted(address)
    for pattern in _YOUTUBE:
        if found := pattern.fullmatch(pasted):
            return found[1]
    if watched := _YOUTUBE_WATCH.fullmatch(pasted):
        videos = [part for part in watched[1].split("&") if part.startswith("v=")]
        # Of two, who knows which one would play.
        if len(videos) == 1 and (found := _YOUTUBE_QUERY.fullmatch(videos[0])):
            return found[1]
    raise NotUnderstood(_NO_VIDEO)


def youtube_id_in(address: str) -> str:
    """As `youtube_id`, but empty where it would raise."""
    try:
        return youtube_id(address)
    except NotUnderstood:
        return ""


def watch_address(video: str) -> str:
    return f"https://www.youtube.com/watch?v={video}"


def embed_address(video: str) -> str:
    """For a player in a page: it sets no cookie before somebody plays the video."""
    return f"https://www.youtube-nocookie.com/embed/{video}"


def _pasted(address: str) -> str:
    """Without the blanks around it that come with pasting.

    Browsers drop tabs and line breaks within an address and read `\\` as `/`: what holds any is
    refused, and so is everything beyond ASCII, where letters look like others.
    """
    pasted = address.strip(" \t\r\n")
    return pasted if is_plain(pasted) and "\\" not in pasted else ""
