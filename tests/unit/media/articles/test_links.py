"""Addresses: what each stands for, and that no other host's ever passes for one of ours."""

import re
from urllib.parse import urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.media.articles.links import (
    UnrecognizedUrl,
    find_item_id,
    item_id,
    item_id_or_empty,
    product_url,
    youtube_embed_url,
    youtube_id,
    youtube_id_or_empty,
    youtube_watch_url,
)

ITEM = "1005001234567890"
VIDEO = "dQw4w9WgXcQ"

PRODUCTS = [
    "https://www.aliexpress.com/item/{}.html",
    "http://www.aliexpress.com/item/{}.html",
    "https://aliexpress.com/item/{}.html",
    "www.aliexpress.com/item/{}.html",
    "aliexpress.com/item/{}.html",
    "//www.aliexpress.com/item/{}.html",
    "HTTPS://WWW.AliExpress.COM/item/{}.html",
    "  https://www.aliexpress.com/item/{}.html\r\n",
    "https://www.aliexpress.com/item/{}.html?spm=a2g0o.home&pvid=x%20y#reviews",
    "https://www.aliexpress.com/item/{}.html?next=https://evil.example/@\u0040",
    "https://www.aliexpress.com/item/Summer-Dress_2024/{}.html",
    "https://www.aliexpress.com/item/{}",
    "https://www.aliexpress.com/i/{}.html",
    "https://m.aliexpress.com/i/{}.html",
    "https://m.aliexpress.com/item/{}.html",
    "https://m.es.aliexpress.com/item/{}.html",
    "https://aliexpress.ru/item/{}.html?sku_id=12000",
    "https://m.aliexpress.ru/item/{}.html",
    "https://www.aliexpress.us/item/{}.html",
    *(
        f"https://{country}.aliexpress.com/item/{{}}.html"
        for country in "ar de es fr he id it ja ko nl pl pt ru th tr vi".split()
    ),
]

NOT_PRODUCTS = [
    "",
    "aliexpress",
    ITEM,
    f"{ITEM}.html",
    # Other hosts.
    f"https://aliexpress.com.evil.example/item/{ITEM}.html",
    f"https://www.aliexpress.com.evil.example/item/{ITEM}.html",
    f"https://evilaliexpress.com/item/{ITEM}.html",
    f"https://evil-aliexpress.com/item/{ITEM}.html",
    f"https://evil.example/www.aliexpress.com/item/{ITEM}.html",
    f"https://evil.example/?https://www.aliexpress.com/item/{ITEM}.html",
    f"https://evil.example#https://www.aliexpress.com/item/{ITEM}.html",
    f"https://xx.aliexpress.com/item/{ITEM}.html",
    f"https://aliexpress.com./item/{ITEM}.html",
    f"https://www.aliexpress.co/item/{ITEM}.html",
    f"https://www.es.aliexpress.com/item/{ITEM}.html",
    # Users, passwords, ports.
    f"https://www.aliexpress.com@evil.example/item/{ITEM}.html",
    f"https://www.aliexpress.com:x@evil.example/item/{ITEM}.html",
    f"https://user@www.aliexpress.com/item/{ITEM}.html",
    f"https://www.aliexpress.com:443/item/{ITEM}.html",
    f"https://www.aliexpress.com:80@evil.example/item/{ITEM}.html",
    # What browsers read otherwise than RFC 3986 does.
    f"https://www.aliexpress.com\\@evil.example/item/{ITEM}.html",
    f"https://evil.example\\www.aliexpress.com/item/{ITEM}.html",
    f"https:\\\\www.aliexpress.com\\item\\{ITEM}.html",
    f"https://www.ali\texpress.com/item/{ITEM}.html",
    f"https://www.aliexpress.com/item\n/{ITEM}.html",
    f"https://www.aliexpress.com/it\x00em/{ITEM}.html",
    f"https://www.aliexpress.com%00.evil.example/item/{ITEM}.html",
    f"https://www.aliexpress.com%2fevil.example/item/{ITEM}.html",
    f"https:///www.aliexpress.com/item/{ITEM}.html",
    f"https:www.aliexpress.com/item/{ITEM}.html",
    # Letters that look like others, or become others.
    f"https://www.\u0430liexpress.com/item/{ITEM}.html",
    f"https://www.aliexpress\u3002com/item/{ITEM}.html",
    f"https://www.aliexpres\u017f.com/item/{ITEM}.html",
    f"https://www.xn--liexpress-6fg.com/item/{ITEM}.html",
    f"https://www.aliexpress.com\uff0fitem\uff0f{ITEM}.html",
    # Other schemes, other paths.
    f"javascript:alert(1)//www.aliexpress.com/item/{ITEM}.html",
    f"ftp://www.aliexpress.com/item/{ITEM}.html",
    f"file://www.aliexpress.com/item/{ITEM}.html",
    "https://www.aliexpress.com/",
    "https://www.aliexpress.com/store/1234567",
    f"https://www.aliexpress.com/item/../redirect/{ITEM}.html",
    f"https://www.aliexpress.com/item/%2e%2e/{ITEM}.html",
    f"https://www.aliexpress.com/item/../{ITEM}.html",
    f"https://www.aliexpress.com/item/{ITEM}.html/../../redirect",
    f"https://www.aliexpress.com/item/{ITEM}.html@evil.example",
    f"https://www.aliexpress.com//evil.example/item/{ITEM}.html",
    f"https://www.aliexpress.com/#/item/{ITEM}.html",
    f"https://www.aliexpress.com/?x=/item/{ITEM}.html",
    f"https://www.aliexpress.com/item/{ITEM}.html https://evil.example",
    "https://www.aliexpress.com/item/0005001234567890.html",
    "https://www.aliexpress.com/item/12345.html",
    "https://www.aliexpress.com/item/123456789012345678901.html",
    "https://www.aliexpress.com/item/\u0661\u0662\u0663\u0664\u0665\u0666\u0667.html",
    f"https://www.aliexpress.com/item/-{ITEM}.html",
]

VIDEOS = [
    "https://www.youtube.com/watch?v={}",
    "http://youtube.com/watch?v={}",
    "youtube.com/watch?v={}",
    "https://m.youtube.com/watch?v={}&t=42s",
    "https://music.youtube.com/watch?feature=share&v={}",
    "https://www.youtube.com/watch/?v={}#t=1",
    "https://www.youtube.com/watch?list=PL1&v={}&index=2",
    "https://youtu.be/{}",
    "https://youtu.be/{}?si=AbC-123",
    "https://www.youtube.com/shorts/{}?feature=share",
    "https://www.youtube.com/embed/{}?start=3",
    "https://www.youtube-nocookie.com/embed/{}",
    "https://youtube-nocookie.com/embed/{}",
    "https://www.youtube.com/live/{}",
    "https://www.youtube.com/v/{}",
]

NOT_VIDEOS = [
    "",
    VIDEO,
    "https://www.youtube.com/",
    "https://www.youtube.com/watch",
    "https://www.youtube.com/watch?v=",
    f"https://www.youtube.com/watch?v={VIDEO}x",
    f"https://www.youtube.com/watch?v={VIDEO[:-1]}",
    f"https://www.youtube.com/watch?v={VIDEO}&v=aaaaaaaaaaa",
    f"https://www.youtube.com/watch?x=1#v={VIDEO}",
    f"https://www.youtube.com/watch?V={VIDEO}",
    f"https://www.youtube.com/@channel/{VIDEO}",
    f"https://www.youtube.com/playlist?list={VIDEO}",
    f"https://youtube.com.evil.example/watch?v={VIDEO}",
    f"https://www.youtube.com@evil.example/watch?v={VIDEO}",
    f"https://www.youtube.com\\@evil.example/watch?v={VIDEO}",
    f"https://www.youtube.com:443/watch?v={VIDEO}",
    f"https://notyoutu.be/{VIDEO}",
    f"https://youtu.be/{VIDEO}/../x",
    f"https://youtu.be/../{VIDEO}",
    f"https://www.youtube-nocookie.com/watch?v={VIDEO}",
    f"https://www.y\u03bfutube.com/watch?v={VIDEO}",
    f"https://vimeo.com/{VIDEO}",
]


@pytest.mark.parametrize("address", PRODUCTS)
def test_a_products_address_tells_its_item(address: str) -> None:
    assert item_id(address.format(ITEM)) == ITEM


@pytest.mark.parametrize("address", NOT_PRODUCTS)
def test_no_other_address_is_a_products(address: str) -> None:
    with pytest.raises(UnrecognizedUrl, match=r"such as https://www\.aliexpress\.com/item/"):
        item_id(address)
    assert item_id_or_empty(address) == ""


@pytest.mark.parametrize(
    "address",
    [
        "https://s.click.aliexpress.com/e/_AbCdEf",
        "https://a.aliexpress.com/_mKx1y2Z",
        "a.aliexpress.com/_mKx1y2Z",
        "https://star.aliexpress.com/share/share.htm?redirectUrl=x",
    ],
)
def test_a_short_link_is_to_be_opened_first(address: str) -> None:
    with pytest.raises(UnrecognizedUrl, match="open it, and paste the URL"):
        item_id(address)


@pytest.mark.parametrize("address", VIDEOS)
def test_a_videos_address_tells_its_id(address: str) -> None:
    assert youtube_id(address.format(VIDEO)) == VIDEO


@pytest.mark.parametrize("address", NOT_VIDEOS)
def test_no_other_address_is_a_videos(address: str) -> None:
    with pytest.raises(UnrecognizedUrl, match="a YouTube video, such as"):
        youtube_id(address)
    assert youtube_id_or_empty(address) == ""


def test_a_product_is_found_in_a_text() -> None:
    address = f"https://es.aliexpress.com/item/{ITEM}.html"
    assert find_item_id(f"I bought it here ({address}), and love it.") == ITEM
    assert find_item_id(f"aliexpress.com/item/{ITEM}.html.") == ITEM
    assert find_item_id("It came from aliexpress.com/store/1 in a week.") == ""
    assert find_item_id(f"https://evil-aliexpress.com/item/{ITEM}.html") == ""
    assert find_item_id("x" * 1_000_000 + "aliexpress.com" * 1000) == ""
    assert find_item_id(f"AliExpress! AliExpress! https://www.AliExpress.com/i/{ITEM}") == ITEM


@given(st.from_regex(r"[1-9][0-9]{5,19}", fullmatch=True))
def test_the_one_address_of_a_product_is_its_own(item: str) -> None:
    assert item_id(product_url(item)) == item


@given(st.from_regex(r"[A-Za-z0-9_-]{11}", fullmatch=True))
def test_the_addresses_of_a_video_are_its_own(video: str) -> None:
    assert youtube_id(youtube_watch_url(video)) == video
    assert youtube_id(youtube_embed_url(video)) == video


PIECES = st.sampled_from(
    [
        *["https:", "http:", "//", "/", "\\", "@", ":", "?", "#", ".", "%00", "%2f", "%2e", "\t"],
        *["www.", "m.", "es.", "aliexpress.com", "aliexpress.ru", "evil.example", "youtu.be"],
        *["www.youtube.com", "/item/", "/i/", "/watch?v=", f"{ITEM}.html", ITEM, VIDEO, "&v=", ";"],
        *["\u3002", "\uff0f", "\u0430", "\u017f", " ", "\n", "443", "user", "xn--", "[", "]"],
    ]
)
GOOD = [address.format(ITEM) for address in PRODUCTS] + [
    address.format(VIDEO) for address in VIDEOS
]
SPOILT = st.builds(
    lambda address, at, piece: address[:at] + piece + address[at:],
    st.sampled_from(GOOD),
    st.integers(0, 70),
    PIECES,
)
ADDRESSES = st.lists(PIECES, max_size=9).map("".join) | SPOILT
OWN_HOSTS = re.compile(
    r"(([a-z]{1,3}\.){0,2}aliexpress\.(com|us|ru)"
    r"|((www|m|music)\.)?youtube\.com|(www\.)?youtube-nocookie\.com|(www\.)?youtu\.be)"
)


@given(ADDRESSES)
@example(f"https://www.aliexpress.com\\@evil.example/item/{ITEM}.html")
@example(f"http:/\t/evil.example/item/{ITEM}.html")
def test_whatever_passes_leads_to_a_host_of_ours_for_everybody(address: str) -> None:
    if not (item_id_or_empty(address) or youtube_id_or_empty(address)):
        return
    for host in (_host_by_rfc_3986(address), _host_by_browsers(address)):
        assert OWN_HOSTS.fullmatch(host), host


def _host_by_rfc_3986(address: str) -> str:
    pasted = address.strip()
    has_host = pasted.startswith("//") or "://" in pasted.split("?")[0].split("#")[0]
    parts = urlsplit(pasted if has_host else f"https://{pasted}")
    assert parts.port is None
    assert parts.username is None
    return parts.hostname or ""


def _host_by_browsers(address: str) -> str:
    """https://url.spec.whatwg.org/#url-parsing: of http and https, as far as the host."""
    text = re.sub(r"[\t\r\n]", "", address.strip("".join(map(chr, range(0x21)))))
    rest = re.sub(r"(?i)^https?:", "", text)
    authority = re.split(r"[/\\?#]", rest.lstrip("/\\"), maxsplit=1)[0]
    return authority.rpartition("@")[2].lower()
