"""The document that readers get."""

import json
from datetime import UTC, datetime
from typing import Any

from services.media.articles.domain import (
    AssignmentContext,
    CatalogueProduct,
    Content,
    Coupon,
    Image,
    Kind,
    Product,
    Revision,
    StoreCoupons,
    Text,
    Video,
)
from services.media.publications.documents import (
    Document,
    Pictures,
    StoredFile,
    Upload,
    document_of,
)

ITEM = "1005001234567890"


def stored(digit: str, width: int = 800, content_type: str = "image/jpeg") -> StoredFile:
    return StoredFile(digit * 64, content_type, 1000, width, width // 2)


def pictures(digits: str) -> Upload:
    full, feed, thumbnail = digits
    return Upload(Pictures(stored(full, 2000), stored(feed, 1080), stored(thumbnail, 320)))


UPLOADS = {
    "banner": pictures("123"),
    "shot": pictures("456"),
    "clip": Upload(
        Pictures(stored("7"), stored("8"), stored("9")),
        stored("a", content_type="video/mp4"),
        duration_seconds=12.5,
    ),
}


def revision(**content: Any) -> Revision:
    return Revision(
        article_id="a1",
        id="r1",
        creator_id="anna",
        content=Content(**content),
        products=(
            CatalogueProduct(
                ITEM,
                "https://elsewhere.example",
                "A lamp",
                "https://img.example/1.jpg",
                "12.90 USD",
            ),
        ),
        seal_time=datetime(2026, 3, 1, tzinfo=UTC),
        assignment_context=AssignmentContext("as1", "acme", (StoreCoupons("123", ("C1", "C2")),)),
    )


def made(**content: Any) -> Document:
    return document_of(
        revision(**content), UPLOADS, lambda file: f"https://cdn.example/{file.file_name}"
    )


def test_a_document_tells_when_its_content_was_sealed() -> None:
    assert made(title="Lamps").content["seal_time"] == "2026-03-01T00:00:00.000+00:00"


def test_a_document_has_everything_in_order() -> None:
    document = made(
        kind=Kind.LIST,
        banner_id="banner",
        title="Lamps",
        introduction="Light it up. Now.",
        hashtags=("#Lamps",),
        blocks=(
            Text("Hello"),
            Image("shot", "A shot"),
            Product(f"https://es.aliexpress.com/item/{ITEM}.html?spm=1", "Nice"),
            Video(media_object_id="clip", description="Watch"),
            Video(youtube_url="https://youtu.be/dQw4w9WgXcQ"),
            Coupon("123", ("C1", "C2")),
        ),
    )
    content = document.content
    assert document.key == "articles/a1/r1.json"
    assert [block["type"] for block in content["blocks"]] == [
        "text",
        "image",
        "product",
        "video",
        "youtube",
        "coupons",
    ]
    assert content["article"] == "articles/a1"
    assert content["creator"] == "creators/anna"
    assert (content["kind"], content["schema_version"]) == ("LIST", 1)
    assert content["hashtags"] == ["#Lamps"]
    assert content["teaser"]["sentence"] == document.sentence == "Light it up."
    assert content["teaser"]["picture"] == content["banner"]
    assert document.image_url == f"https://cdn.example/{'2' * 64}.jpg"
    _, image, product, video, youtube, coupons = content["blocks"]
    assert image["description"] == "A shot"
    assert image["picture"]["thumbnail"] == {
        "url": f"https://cdn.example/{'6' * 64}.jpg",
        "content_type": "image/jpeg",
        "size_bytes": 1000,
        "width": 320,
        "height": 160,
    }
    assert product == {
        "type": "product",
        "item_id": ITEM,
        "url": f"https://www.aliexpress.com/item/{ITEM}.html",
        "title": "A lamp",
        "image_url": "https://img.example/1.jpg",
        "price": "12.90 USD",
        "description": "Nice",
    }
    assert video["video"]["url"].endswith(f"{'a' * 64}.mp4")
    assert video["duration_seconds"] == 12.5
    assert video["poster"]["full"]["url"].endswith(f"{'7' * 64}.jpg")
    assert youtube["embed_url"] == "https://www.youtube-nocookie.com/embed/dQw4w9WgXcQ"
    assert coupons == {
        "type": "coupons",
        "store_id": "123",
        "store_url": "https://www.aliexpress.com/store/123",
        "coupon_ids": ["C1", "C2"],
    }


def test_nothing_of_the_brand_or_of_our_own_ids_is_in_it() -> None:
    text = made(banner_id="banner", blocks=(Image("shot"),)).encoded().decode()
    for private in ("acme", "as1", "mediaObjects", '"banner"}', '"shot"'):
        assert private not in text


def test_the_first_picture_is_the_banner_or_else_the_first_image() -> None:
    without_banner = made(blocks=(Text("x"), Image("shot"), Image("banner")))
    assert without_banner.content["banner"] is None
    assert without_banner.image_url.endswith(f"{'5' * 64}.jpg")
    assert made(title="Words only").content["teaser"] == {
        "picture": None,
        "sentence": "Words only",
    }
    assert made(title="Words only").image_url == ""


def test_making_it_again_gives_the_same_bytes() -> None:
    content = {"title": "日本語 & <b>", "introduction": "“Hi”", "blocks": (Text("x"),)}
    first = made(**content).encoded()
    assert first == made(**content).encoded()
    assert json.loads(first)["title"] == "日本語 & <b>"
