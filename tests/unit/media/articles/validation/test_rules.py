"""What is said of an article: everything at once, each with its rule and the field's path."""

import unicodedata
from dataclasses import replace

import pytest

from services.media.articles.domain import (
    AssignmentContext,
    CatalogueProduct,
    Content,
    Coupon,
    Image,
    Kind,
    Product,
    StoreCoupons,
    Text,
    Video,
)
from services.media.articles.validation.findings import Facts, Finding, Upload
from services.media.articles.validation.rules import item_ids, validate

ITEM, OTHER_ITEM = "1005001234567890", "1005009876543210"
ADDRESS = f"https://www.aliexpress.com/item/{ITEM}.html"
YOUTUBE = "https://youtu.be/dQw4w9WgXcQ"

GOOD = Content(
    banner_id="banner",
    title="A tea set for two",
    introduction="It came in a week.",
    blocks=(
        Text("I drink tea."),
        Image("image", "The pot"),
        Product(ADDRESS, "The set"),
        Video(youtube_url=YOUTUBE),
        Coupon("123", ("A1", "B-2")),
    ),
    hashtags=("#Tea", "#Baby&Kids"),
)
FACTS = Facts(
    uploads={"banner": Upload("BANNER"), "image": Upload("IMAGE"), "video": Upload("VIDEO")},
    products={ITEM: CatalogueProduct(ITEM, ADDRESS, "Tea set", price="12.90 USD")},
    level="NEWCOMER",
    assignment_context=AssignmentContext("a1", "acme", (StoreCoupons("123", ("A1", "B-2", "C3")),)),
)


def violations(content: Content, facts: Facts = FACTS) -> list[tuple[str, str]]:
    return field_and_rule(validate(content, facts).violations)


def advice(content: Content, facts: Facts = FACTS) -> list[tuple[str, str]]:
    return field_and_rule(validate(content, facts).advice)


def field_and_rule(findings: tuple[Finding, ...]) -> list[tuple[str, str]]:
    return [(finding.field.removeprefix("article."), finding.rule) for finding in findings]


def test_a_good_article_is_understood() -> None:
    findings = validate(GOOD, FACTS)
    assert findings.violations == ()
    assert findings.advice == ()
    assert [(one.field, one.rule, one.description) for one in findings.confirmations] == [
        ("article.blocks[2].product.url", "R81", "Added: Tea set, 12.90 USD"),
        (
            "article.blocks[3].video.youtube_url",
            "R89",
            "The YouTube video is added: https://www.youtube.com/watch?v=dQw4w9WgXcQ",
        ),
        ("article.blocks[4].coupon", "R91", "2 coupons of the store 123 will be shown"),
    ]


def test_everything_is_told_at_once() -> None:
    content = Content(
        banner_id="image",
        title="x" * 61,
        introduction="x" * 1001,
        blocks=(
            Text(" \u200b\n"),
            Image("unknown", "x" * 1001),
            Product("https://evil.example/item/1.html", "x" * 1001),
            Product(ADDRESS.replace(ITEM, OTHER_ITEM)),
            Video("video", description="x" * 1001),
            Video(youtube_url="https://vimeo.com/1"),
            Coupon("123", ("A1", "Z9", "no spaces")),
            Coupon("999", ("A1",)),
        ),
        hashtags=("#a", "#b", "no", "#A", "#c", "#a"),
    )
    assert violations(content) == [
        ("banner", "PURPOSE"),
        ("title", "R72"),
        ("introduction", "R75"),
        ("hashtags", "R78"),
        ("hashtags[2]", "R79"),
        ("hashtags[3]", "UNIQUE"),
        ("blocks[0].text.text", "BLANK"),
        ("blocks[1].image.media_object", "MEDIA_NOT_ACCEPTED"),
        ("blocks[1].image.description", "R86"),
        ("blocks[2].product.url", "R81"),
        ("blocks[2].product.description", "R86"),
        ("blocks[3].product.url", "R81"),
        ("blocks[4].video.media_object", "R87"),
        ("blocks[4].video.description", "R86"),
        ("blocks[5].video.youtube_url", "R89"),
        ("blocks[6].coupon.coupon_ids[1]", "R92"),
        ("blocks[6].coupon.coupon_ids[2]", "R90"),
        ("blocks[7].coupon.store_id", "R92"),
    ]
    assert all(one.description for one in validate(content, FACTS).violations)
    assert validate(content, FACTS).confirmations == ()


def test_an_empty_article_is_none() -> None:
    assert violations(Content(hashtags=("#a",))) == [("article", "EMPTY")]
    assert violations(Content(blocks=(Text("Enough."),))) == []


@pytest.mark.parametrize("accented", ["é", "e\u0301"])
def test_lengths_are_of_composed_characters(accented: str) -> None:
    content = replace(GOOD, title=accented * 60, introduction=accented * 1000)
    assert violations(content) == []
    content = replace(GOOD, title=accented * 61, introduction=accented * 1001)
    assert violations(content) == [("title", "R72"), ("introduction", "R75")]
    (title, _) = validate(content, FACTS).violations
    assert title.description == "61 characters; at most 60 are allowed: remove 1"
    assert len(unicodedata.normalize("NFD", content.title)) == 122


def test_a_title_and_an_introduction_may_be_left_out_but_not_blank() -> None:
    assert violations(replace(GOOD, title="", introduction="")) == []
    blank = replace(GOOD, title=" ", introduction="\u3164")
    assert violations(blank) == [("title", "BLANK"), ("introduction", "BLANK")]


def test_a_banner_is_needed_where_the_kind_does_not_do_without() -> None:
    bare = replace(GOOD, banner_id="")
    assert violations(bare) == []
    facts = replace(FACTS, kinds_with_banner=frozenset({Kind.ARTICLE}))
    assert violations(bare, facts) == [("banner", "R66")]
    assert violations(replace(bare, kind=Kind.LIST), facts) == []
    assert violations(GOOD, facts) == []


@pytest.mark.parametrize(
    ("level", "may"),
    [
        ("", False),
        ("NEWCOMER", False),
        ("JUNIOR", False),
        ("INTERMEDIATE", True),
        ("ADVANCED", True),
        ("EXPERT", True),
        ("STAR", True),
    ],
)
def test_uploaded_videos_are_for_intermediate_creators_and_above(level: str, may: bool) -> None:
    content = replace(GOOD, blocks=(Video("video"),))
    expected = [] if may else [("blocks[0].video.media_object", "R87")]
    assert violations(content, replace(FACTS, level=level)) == expected


def test_without_a_task_there_are_no_coupons() -> None:
    own = replace(FACTS, assignment_context=None)
    assert violations(GOOD, own) == [("blocks[4].coupon", "R92")]
    without = replace(FACTS, assignment_context=AssignmentContext("a1", "acme"))
    assert violations(GOOD, without) == [("blocks[4].coupon.store_id", "R92")]
    malformed = replace(GOOD, blocks=(Coupon("shop!", ("a b",)),))
    assert violations(malformed, own) == [
        ("blocks[0].coupon", "R92"),
        ("blocks[0].coupon.store_id", "R90"),
        ("blocks[0].coupon.coupon_ids[0]", "R90"),
    ]


def test_products_are_asked_for_once() -> None:
    again = Product(f"https://es.aliexpress.com/item/{ITEM}.html")
    other = Product(ADDRESS.replace(ITEM, OTHER_ITEM))
    content = replace(GOOD, blocks=(other, *GOOD.blocks, again, Product("https://x.example")))
    assert item_ids(content) == (OTHER_ITEM, ITEM)


def test_what_could_be_better_is_advice() -> None:
    bare = Content(blocks=(Text("I drink tea."),))
    assert advice(bare) == [("banner", "R63"), ("title", "R70"), ("hashtags", "R76")]
    assert violations(bare) == []
    assert advice(replace(GOOD, title="BUY THIS NOW")) == [("title", "R70")]
    assert advice(replace(GOOD, title="USB-C")) == []


def test_pictures_with_text_or_like_anothers_are_advised_against() -> None:
    facts = replace(
        FACTS,
        uploads={
            "banner": Upload("BANNER", has_text=True),
            "image": Upload("IMAGE", resembles_another=True, has_text=False),
        },
    )
    assert advice(GOOD, facts) == [
        ("banner", "R65"),
        ("blocks[1].image.media_object", "RESEMBLES_ANOTHER"),
    ]


def test_products_that_are_only_spoken_of_are_to_be_linked() -> None:
    spoken = replace(GOOD, blocks=(Text("Found on AliExpress!"),))
    assert advice(spoken) == [("blocks", "R80")]
    assert advice(replace(GOOD, blocks=(Text("See me."),), kind=Kind.LIST)) == [("blocks", "R80")]
    named = replace(
        GOOD,
        introduction=f"Look: {ADDRESS}.",
        blocks=(*GOOD.blocks, Text(f"And {ADDRESS.replace(ITEM, OTHER_ITEM)}")),
    )
    assert advice(named) == [("blocks[5].text.text", "R80")]  # the other one is linked


def test_so_many_different_products_and_no_more_are_looked_up() -> None:
    def linking(count: int) -> tuple[Product, ...]:
        return tuple(
            Product(f"https://www.aliexpress.com/item/{10**15 + number}.html")
            for number in [*range(count), *range(count)]
        )

    within, beyond = Content(blocks=linking(200)), Content(blocks=linking(203))
    assert len(item_ids(within)) == 200
    assert item_ids(beyond) == item_ids(within)
    known = {item: CatalogueProduct(item, ADDRESS, "Tea set") for item in item_ids(within)}
    facts = replace(FACTS, products=known)
    assert violations(within, facts) == []
    assert violations(beyond, facts) == [("blocks", "COUNT")]
    (finding,) = validate(beyond, facts).violations
    assert finding.description.endswith("at most 200 are allowed: remove 3")
