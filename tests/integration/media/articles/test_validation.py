"""Validation of drafts through the real service: every hard rule of articles."""

import pytest
from liaison.media.v1 import articles_pb2 as pb
from liaison.media.v1 import media_pb2

from servicekit.errors import Reason
from services.media.articles.domain import Kind, StoreCoupons
from services.media.articles.drafts.handlers import DraftHandlers
from services.media.articles.servicer import service as article_service
from services.media.articles.validation.validator import ArticleValidator
from tests.integration.media.articles.harness import (
    ABSENT_ITEM,
    ADDRESS,
    COUPONS,
    ITEM,
    QUOTA,
    Harness,
    coupon,
    creation,
    field_and_rule,
    image,
    product,
    stub,
    text,
    uploaded_video,
    youtube,
)
from tests.integration.media.uploading import finalized
from tests.support.serving import refused, serving
from tests.unit.media.pictures import png

NO_MEDIA = "mediaObjects/00000000000000000000000000000000"


@pytest.mark.rule("R60", "R81", "R86", "R89", "R90", "R91")
async def test_a_good_article_is_valid_and_creators_are_told_what_was_understood(
    articles: Harness,
) -> None:
    article = await articles.created(
        assignment=articles.assignments.add("a1", "anna", COUPONS),
        banner=await articles.picture(media_pb2.PURPOSE_BANNER),
        title="Tea for two",
        introduction="It came in a week.",
        blocks=[
            text("I drink tea."),
            image(await articles.picture(), "The pot"),
            product(description="The set"),
            youtube("https://youtu.be/dQw4w9WgXcQ"),
            coupon("123", "A1", "B2"),
        ],
        hashtags=["#Tea"],
    )
    validation = await articles.validated(article)
    assert (validation.is_valid, field_and_rule(validation.violations)) == (True, [])
    assert field_and_rule(validation.advice) == []
    assert field_and_rule(validation.confirmations) == [
        ("article.blocks[2].product.url", "R81"),
        ("article.blocks[3].video.youtube_url", "R89"),
        ("article.blocks[4].coupon", "R91"),
    ]
    added, video, shown = (one.description for one in validation.confirmations)
    known = await articles.creator().LookUpProduct(pb.LookUpProductRequest(url=ADDRESS))
    assert added == f"Added: {known.title}, {known.price}"
    assert video == ("The YouTube video is added: https://www.youtube.com/watch?v=dQw4w9WgXcQ")
    assert shown == "2 coupons of the store 123 will be shown"
    # Staff see the same.
    request = pb.ValidateArticleRequest(name=article.name)
    assert await articles.operator.ValidateArticle(request) == validation


async def test_everything_that_is_wrong_is_told_at_once(articles: Harness) -> None:
    theirs = articles.creator("boris")
    found = await articles.violations(
        banner=await articles.picture(),
        title="x" * 61,
        introduction="x" * 1001,
        blocks=[
            text("\u200b"),
            image(NO_MEDIA, "x" * 1001),
            product("https://evil.example/item/1005001234567890.html"),
            product(ADDRESS.replace(ITEM, ABSENT_ITEM)),
            uploaded_video(NO_MEDIA),
            youtube("https://vimeo.com/1"),
            coupon("123", "A1"),
        ],
        hashtags=["#1", "#2", "#3", "#4", "#5", "six"],
    )
    assert found == [
        ("article.banner", "PURPOSE"),
        ("article.title", "R72"),
        ("article.introduction", "R75"),
        ("article.hashtags", "R78"),
        ("article.hashtags[5]", "R79"),
        ("article.blocks[0].text.text", "BLANK"),
        ("article.blocks[1].image.media_object", "MEDIA_NOT_ACCEPTED"),
        ("article.blocks[1].image.description", "R86"),
        ("article.blocks[2].product.url", "R81"),
        ("article.blocks[3].product.url", "R81"),
        ("article.blocks[4].video.media_object", "R87"),
        ("article.blocks[4].video.media_object", "MEDIA_NOT_ACCEPTED"),
        ("article.blocks[5].video.youtube_url", "R89"),
        ("article.blocks[6].coupon", "R92"),
    ]
    # Uploads of others look like unknown ones.
    own = await articles.picture()
    article = await theirs.CreateArticle(creation(blocks=[image(own), image(NO_MEDIA)]))
    first, second = (await articles.validated(article)).violations
    assert first.description == second.description
    assert first.rule_id == second.rule_id == "MEDIA_NOT_ACCEPTED"


async def test_an_empty_article_is_not_valid(articles: Harness) -> None:
    assert await articles.violations() == [("article", "EMPTY")]


@pytest.mark.rule("R71", "R74")
async def test_title_and_introduction_may_be_left_out(articles: Harness) -> None:
    article = await articles.created(blocks=[text("I drink tea.")])
    validation = await articles.validated(article)
    assert validation.is_valid
    assert field_and_rule(validation.advice) == [
        ("article.banner", "R63"),
        ("article.title", "R70"),
        ("article.hashtags", "R76"),
    ]


@pytest.mark.rule("R72", "R75")
@pytest.mark.parametrize("letter", ["x", "é", "e\u0301", "茶", "🫖"])
async def test_title_and_introduction_are_limited_by_characters(
    articles: Harness, letter: str
) -> None:
    assert await articles.violations(title=letter * 60, introduction=letter * 1000) == []
    assert await articles.violations(title=letter * 61, introduction=letter * 1001) == [
        ("article.title", "R72"),
        ("article.introduction", "R75"),
    ]


@pytest.mark.rule("R78", "R79")
async def test_five_hashtags_of_any_script_and_no_more(articles: Harness) -> None:
    five = ["#Bikinis", "#Baby&Kids", "#CheerForAliExpress", "#распродажа", "#हिन्दी"]
    assert await articles.violations(title="Tea", hashtags=five) == []
    assert await articles.violations(title="Tea", hashtags=[*five, "#6"]) == [
        ("article.hashtags", "R78")
    ]
    odd = ["#Baby Kids", "Bikinis", "#tea!", "#Tea", "#tea"]
    assert await articles.violations(title="Tea", hashtags=odd) == [
        ("article.hashtags[0]", "R79"),
        ("article.hashtags[1]", "R79"),
        ("article.hashtags[2]", "R79"),
        ("article.hashtags[4]", "UNIQUE"),
    ]


@pytest.mark.rule("R66")
async def test_a_banner_may_be_left_out_where_the_kind_does_without(articles: Harness) -> None:
    assert await articles.violations(title="Tea") == []
    own = articles
    validator = ArticleValidator(own.media.store.list_by_id, own.catalogue, own.levels, [Kind.LIST])
    strict = DraftHandlers(
        own.drafts, own.assignments, validator, own.catalogue, QUOTA, own.media.now
    )
    services = [article_service(strict, own.revision_handlers)]
    async with serving(own.served.access, services, own.database) as served:
        anna = stub(served.as_creator("anna"))
        for kind, expected in (
            (pb.Article.KIND_UNSPECIFIED, []),
            (pb.Article.KIND_LIST, [("article.banner", "R66")]),
        ):
            article = await anna.CreateArticle(creation(title="Tea", kind=kind))
            request = pb.ValidateArticleRequest(name=article.name)
            assert field_and_rule((await anna.ValidateArticle(request)).violations) == expected


async def test_a_banner_is_an_accepted_upload_for_that_purpose(articles: Harness) -> None:
    banner = await articles.picture(media_pb2.PURPOSE_BANNER)
    assert await articles.violations(title="Tea", banner=banner) == []
    assert await articles.violations(title="Tea", blocks=[image(banner)]) == [
        ("article.blocks[0].image.media_object", "PURPOSE")
    ]
    rejected = await finalized(articles.served, png(100, 100), "image/png")
    assert await articles.violations(title="Tea", banner=rejected.name) == [
        ("article.banner", "MEDIA_NOT_ACCEPTED")
    ]


@pytest.mark.rule("R86")
async def test_images_and_products_may_carry_a_description(articles: Harness) -> None:
    picture = await articles.picture()
    described = [image(picture, "é" * 1000), product(description="Soft"), product()]
    article = await articles.created(blocks=described)
    assert [block.WhichOneof("content") for block in article.blocks] == [
        "image",
        "product",
        "product",
    ]
    assert article.blocks[0].image.description == "é" * 1000
    assert (await articles.validated(article)).is_valid


@pytest.mark.rule("R87")
@pytest.mark.parametrize(
    ("level", "may"), [("", False), ("NEWCOMER", False), ("JUNIOR", False), ("INTERMEDIATE", True)]
)
async def test_uploaded_videos_need_a_level_and_youtube_needs_none(
    articles: Harness, level: str, may: bool
) -> None:
    articles.levels.known["anna"] = level
    found = await articles.violations(
        blocks=[uploaded_video(NO_MEDIA), youtube("https://youtu.be/dQw4w9WgXcQ")]
    )
    barred = [("article.blocks[0].video.media_object", "R87")]
    absent = [("article.blocks[0].video.media_object", "MEDIA_NOT_ACCEPTED")]
    assert found == (absent if may else barred + absent)


@pytest.mark.rule("R81")
async def test_get_info_tells_of_a_product_by_any_of_its_addresses(articles: Harness) -> None:
    anna = articles.creator()
    known = await anna.LookUpProduct(pb.LookUpProductRequest(url=ADDRESS))
    assert (known.item_id, known.url) == (ITEM, ADDRESS)
    assert known.title
    assert known.price.endswith(" USD")
    assert known.image_url.startswith("https://")
    for address in (
        f"es.aliexpress.com/item/{ITEM}.html?spm=1",
        f"https://m.aliexpress.com/i/{ITEM}.html",
        f"  https://aliexpress.ru/item/{ITEM}.html ",
    ):
        assert await anna.LookUpProduct(pb.LookUpProductRequest(url=address)) == known
    with refused(Reason.NOT_FOUND):
        await anna.LookUpProduct(pb.LookUpProductRequest(url=ADDRESS.replace(ITEM, ABSENT_ITEM)))
    for address in (
        f"https://www.aliexpress.com@evil.example/item/{ITEM}.html",
        "http://127.0.0.1:8093/products/1005001234567890",
        "http://169.254.169.254/latest/meta-data/",
        "file:///etc/passwd",
        "https://s.click.aliexpress.com/e/_AbC",
    ):
        with refused(Reason.INVALID_FIELDS, "url") as caught:
            await anna.LookUpProduct(pb.LookUpProductRequest(url=address))
        assert caught.value.violations[0].rule == "R81"


@pytest.mark.rule("R90", "R92")
async def test_coupons_are_only_those_that_the_tasks_stores_gave(articles: Harness) -> None:
    with_coupons = articles.assignments.add("a1", "anna", COUPONS)
    without = articles.assignments.add("a2", "anna")
    blocks = [
        coupon("123", "A1", "B2"),
        coupon("77", "C3"),
        coupon("77", "A1", "C3", "not one"),
        coupon("999", "A1"),
        coupon("shop", "A1"),
    ]
    assert await articles.violations(assignment=with_coupons, blocks=blocks) == [
        ("article.blocks[2].coupon.coupon_ids[0]", "R92"),
        ("article.blocks[2].coupon.coupon_ids[2]", "R90"),
        ("article.blocks[3].coupon.store_id", "R92"),
        ("article.blocks[4].coupon.store_id", "R92"),
        ("article.blocks[4].coupon.store_id", "R90"),
    ]
    assert await articles.violations(assignment=without, blocks=blocks[:1]) == [
        ("article.blocks[0].coupon.store_id", "R92")
    ]
    assert await articles.violations(blocks=blocks[:1]) == [("article.blocks[0].coupon", "R92")]
    # Frozen with the task: what changes there since changes nothing here.
    kept = await articles.created(assignment=with_coupons, blocks=blocks[:2])
    articles.assignments.add("a1", "anna", (StoreCoupons("9", ("Z",)),))
    assert (await articles.validated(kept)).is_valid
