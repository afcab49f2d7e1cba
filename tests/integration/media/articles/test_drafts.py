"""Drafts: they may break rules, are their creator's own, and are never lost between two writers."""

import asyncio
import unicodedata

import pytest
from liaison.media.v1 import articles_pb2 as pb

from servicekit.errors import Reason
from tests.integration.media.articles.harness import (
    ADDRESS,
    COUPONS,
    ITEM,
    Harness,
    change,
    coupon,
    creation,
    deletion,
    image,
    product,
    sealing,
    stub,
    text,
    uploaded_video,
    youtube,
)
from tests.support.serving import refused, request_id

NAMELESS = "articles/00000000000000000000000000000000"
MEDIA = "mediaObjects/00000000000000000000000000000000"


def reading(name: str) -> pb.GetArticleRequest:
    return pb.GetArticleRequest(name=name)


@pytest.mark.rule("R60")
async def test_a_draft_holds_all_that_an_article_is_made_of_and_is_read_back(
    articles: Harness,
) -> None:
    assignment = articles.assignments.add("a1", "anna", COUPONS)
    written = pb.Article(
        assignment=assignment,
        kind=pb.Article.KIND_LIST,
        banner=MEDIA,
        title="Tea for two",
        introduction="It came in a week.",
        blocks=[
            text("I drink tea.\n\nA lot of it."),
            image(MEDIA, "The pot"),
            product(ADDRESS, "The set"),
            uploaded_video(MEDIA),
            youtube("https://youtu.be/dQw4w9WgXcQ"),
            coupon("123", "A1", "B2"),
        ],
        hashtags=["#Tea", "#Baby&Kids"],
    )
    request = pb.CreateArticleRequest(article=written, request_id=request_id())
    article = await articles.creator().CreateArticle(request)

    assert article.name.startswith("articles/")
    assert (article.creator, article.assignment) == ("creators/anna", assignment)
    assert article.create_time == article.update_time
    assert article.etag
    assert not article.latest_revision
    assert article.blocks[2].product.item_id == ITEM
    assert article.blocks[4].video.youtube_id == "dQw4w9WgXcQ"
    expected = pb.Article()
    expected.CopyFrom(article)
    for field in ("name", "creator", "etag", "create_time", "update_time"):
        expected.ClearField(field)
    expected.blocks[2].product.ClearField("item_id")
    expected.blocks[4].video.ClearField("youtube_id")
    assert expected == written

    for reader in (articles.creator(), articles.operator, stub(articles.served.as_mediator())):
        assert await reader.GetArticle(reading(article.name)) == article
    with refused(Reason.INVALID_FIELDS, "article.blocks[0]"):
        await articles.created(blocks=[pb.Block()])  # nothing else is a block


async def test_a_draft_may_break_every_rule_but_not_grow_without_end(articles: Harness) -> None:
    await articles.created()
    await articles.created(
        title="x" * 600,
        introduction="x" * 10_000,
        blocks=[product("https://evil.example")] * 1000,
        hashtags=["no"] * 50,
    )
    with refused(
        Reason.INVALID_FIELDS,
        "article.title",
        "article.introduction",
        "article.blocks",
        "article.hashtags",
    ):
        await articles.created(
            title="x" * 601,
            introduction="x" * 10_001,
            blocks=[text("x")] * 1001,
            hashtags=["#x"] * 51,
        )
    with refused(
        Reason.INVALID_FIELDS,
        "article.banner",
        "article.title",
        "article.blocks[0].text.text",
        "article.blocks[1].image.media_object",
        "article.blocks[2].product.url",
        "article.blocks[3].video",
        "article.blocks[4].coupon.coupon_ids",
        "article.blocks[5].image.description",
        "article.hashtags[0]",
    ):
        await articles.created(
            banner="tasks/1",
            title="a\x00b",
            blocks=[
                text("a\x1bb"),
                image("nowhere"),
                product("x" * 2001),
                youtube(""),
                coupon("1", "A", "A"),
                image(MEDIA, "x" * 10_001),
            ],
            hashtags=["x" * 101],
        )


@pytest.mark.rule("R85")
async def test_a_text_may_be_of_megabytes(articles: Harness) -> None:
    words = "Tea with a tale: é, 茶, чай. " * 300_000
    size_bytes = len(words.encode())
    assert 10_000_000 < size_bytes < 16 * 1024 * 1024
    request = creation(title="Long", blocks=[text(words)])
    article = await articles.creator().CreateArticle(request)
    assert article.blocks[0].text.text == words
    assert await articles.creator().CreateArticle(request) == article
    validation = await articles.validated(article)
    assert validation.is_valid
    again = change(article, title="Longer", blocks=[text(words + "!")])
    updated = await articles.creator().UpdateArticle(again)
    assert updated.blocks[0].text.text == words + "!"
    assert (await articles.creator().GetArticle(reading(article.name))) == updated
    # What keeps first answers is none the larger for it.
    row = await articles.database.fetch_one("SELECT pg_total_relation_size('request') AS size")
    assert row is not None
    assert row["size"] < 1_000_000


async def test_texts_are_kept_composed(articles: Harness) -> None:
    article = await articles.created(
        title="e\u0301te\u0301",
        introduction="e\u0301",
        blocks=[text("e\u0301")],
        hashtags=["#e\u0301"],
    )
    assert (article.title, article.introduction) == ("\u00e9t\u00e9", "\u00e9")
    assert article.blocks[0].text.text == "\u00e9"
    assert list(article.hashtags) == ["#\u00e9"]
    # Their length is that of what is kept.
    title = unicodedata.normalize("NFD", "é") * 600
    assert len((await articles.created(title=title)).title) == 600


async def test_an_article_is_written_for_an_assignment_of_ones_own(articles: Harness) -> None:
    theirs = articles.assignments.add("b1", "boris")
    for foreign in (theirs, "assignments/unknown"):
        with refused(Reason.NOT_YOURS):
            await articles.created(assignment=foreign)
    own = articles.assignments.add("a1", "anna")
    other = articles.assignments.add("a2", "anna")
    article = await articles.created(assignment=own)
    with refused(Reason.INVALID_FIELDS, "article.assignment") as caught:
        await articles.creator().UpdateArticle(change(article, assignment=other))
    assert caught.value.violations[0].rule == "IMMUTABLE"
    for said in (own, ""):
        article = await articles.creator().UpdateArticle(change(article, assignment=said))
        assert article.assignment == own
    # What was read of it once stays, whatever becomes of it.
    articles.assignments.known.clear()
    assert (await articles.creator().GetArticle(reading(article.name))).assignment == own


async def test_a_change_needs_the_latest_etag(articles: Harness) -> None:
    first = await articles.created(title="One", hashtags=["#a"])
    second = await articles.creator().UpdateArticle(change(first, title="Two"))
    assert (second.title, list(second.hashtags)) == ("Two", [])
    assert second.etag != first.etag
    assert second.create_time == first.create_time
    assert second.update_time.ToDatetime() > first.update_time.ToDatetime()
    with refused(Reason.ETAG_MISMATCH):
        await articles.creator().UpdateArticle(change(first, title="Three"))
    with refused(Reason.INVALID_FIELDS, "article.etag"):
        await articles.creator().UpdateArticle(change(pb.Article(name=first.name)))
    with refused(Reason.INVALID_FIELDS, "article.name"):
        await articles.creator().UpdateArticle(change(pb.Article(etag="1")))


async def test_of_several_writers_at_once_one_wins(articles: Harness) -> None:
    article = await articles.created(title="One")
    outcomes = await asyncio.gather(
        *(
            articles.creator().UpdateArticle(change(article, title=f"By {number}"))
            for number in range(8)
        ),
        return_exceptions=True,
    )
    won = [one for one in outcomes if isinstance(one, pb.Article)]
    lost = [one for one in outcomes if not isinstance(one, pb.Article)]
    assert len(won) == 1
    assert {getattr(one, "reason", one) for one in lost} == {Reason.ETAG_MISMATCH}
    assert await articles.creator().GetArticle(reading(article.name)) == won[0]


async def test_a_repeated_request_gets_its_first_answer_whatever_came_since(
    articles: Harness,
) -> None:
    anna = articles.creator()
    assignment = articles.assignments.add("a1", "anna")
    start = creation(title="One", assignment=assignment, blocks=[text("Tea")])
    first, *others = await asyncio.gather(*(anna.CreateArticle(start) for _ in range(5)))
    assert all(other == first for other in others)
    step = change(first, title="Two", blocks=[text("More")])
    second, *others = await asyncio.gather(*(anna.UpdateArticle(step) for _ in range(5)))
    assert all(other == second for other in others)
    await anna.UpdateArticle(change(second, title="Three"))
    articles.assignments.known.clear()
    assert await anna.CreateArticle(start) == first
    assert await anna.UpdateArticle(step) == second
    await anna.DeleteArticle(deletion(first.name))
    assert await anna.CreateArticle(start) == first
    assert await anna.UpdateArticle(step) == second
    with refused(Reason.NOT_YOURS):
        await anna.GetArticle(reading(first.name))


async def test_a_request_id_is_good_for_one_body(articles: Harness) -> None:
    anna = articles.creator()
    start = creation(title="One")
    article = await anna.CreateArticle(start)
    start.article.title = "Two"
    with refused(Reason.REQUEST_ID_REUSED):
        await anna.CreateArticle(start)
    step = change(article, title="Two")
    await anna.UpdateArticle(step)
    step.article.blocks.append(text("More"))
    with refused(Reason.REQUEST_ID_REUSED):
        await anna.UpdateArticle(step)
    step.article.name = (await articles.created()).name
    with refused(Reason.REQUEST_ID_REUSED):
        await anna.UpdateArticle(step)
    # Another creator's is another request.
    start.article.title = "One"
    theirs = await articles.creator("boris").CreateArticle(start)
    assert (theirs.creator, theirs.name != article.name) == ("creators/boris", True)


async def test_one_request_changes_one_article_however_it_races(articles: Harness) -> None:
    drafts = [await articles.created(title=f"{number}") for number in range(6)]
    requests = [change(draft, title="Changed") for draft in drafts]
    for request in requests:
        request.request_id = requests[0].request_id
    ends = await asyncio.gather(
        *(articles.creator().UpdateArticle(request) for request in requests), return_exceptions=True
    )
    reasons = [getattr(end, "reason", None) for end in ends]
    assert sorted(map(str, reasons)) == ["None"] + ["REQUEST_ID_REUSED"] * 5
    page = await articles.creator().ListArticles(pb.ListArticlesRequest())
    assert [one.title for one in page.articles].count("Changed") == 1


async def test_a_draft_is_thrown_away(articles: Harness) -> None:
    anna = articles.creator()
    article = await articles.created(title="One")
    changed = await anna.UpdateArticle(change(article, title="Two"))
    with refused(Reason.ETAG_MISMATCH):
        await anna.DeleteArticle(deletion(article.name, article.etag))
    await anna.DeleteArticle(deletion(article.name, changed.etag))
    for gone in (
        anna.GetArticle(reading(article.name)),
        anna.DeleteArticle(deletion(article.name)),
    ):
        with refused(Reason.NOT_YOURS):
            await gone
    with refused(Reason.NOT_FOUND):
        await articles.operator.GetArticle(reading(article.name))
    page = await anna.ListArticles(pb.ListArticlesRequest())
    assert not page.articles


async def test_drafts_are_listed_latest_first_without_their_blocks(articles: Harness) -> None:
    own, other = articles.assignments.add("a1", "anna"), articles.assignments.add("a2", "anna")
    drafts = [
        await articles.created(title=f"{number}", blocks=[text("Tea")], assignment=assignment)
        for number, assignment in enumerate((own, own, other, "", own))
    ]
    theirs = await articles.created("boris", title="His")
    for draft in drafts:
        draft.ClearField("blocks")
    anna = articles.creator()
    listed, token = [], ""
    while True:
        page = await anna.ListArticles(pb.ListArticlesRequest(page_size=2, page_token=token))
        listed += page.articles
        token = page.next_page_token
        if not token:
            break
    assert listed == drafts[::-1]
    page = await anna.ListArticles(pb.ListArticlesRequest(creator="creators/anna", assignment=own))
    assert list(page.articles) == [drafts[4], drafts[1], drafts[0]]
    with refused(Reason.NOT_YOURS):
        await anna.ListArticles(pb.ListArticlesRequest(creator="creators/boris"))
    everybodys = await articles.operator.ListArticles(pb.ListArticlesRequest())
    assert [one.name for one in everybodys.articles] == [
        one.name for one in (theirs, *drafts[::-1])
    ]
    his = await articles.operator.ListArticles(pb.ListArticlesRequest(creator="creators/boris"))
    assert [one.name for one in his.articles] == [theirs.name]


async def test_somebody_elses_and_unknown_drafts_look_the_same(articles: Harness) -> None:
    article = await articles.created(title="Mine")
    boris = articles.creator("boris")
    for name in (article.name, NAMELESS):
        for call in (
            boris.GetArticle(reading(name)),
            boris.ValidateArticle(pb.ValidateArticleRequest(name=name)),
            boris.UpdateArticle(change(pb.Article(name=name, etag="1"), title="His")),
            boris.DeleteArticle(deletion(name)),
        ):
            with refused(Reason.NOT_YOURS):
                await call
    for call in (
        articles.operator.GetArticle(reading(NAMELESS)),
        articles.operator.ValidateArticle(pb.ValidateArticleRequest(name=NAMELESS)),
    ):
        with refused(Reason.NOT_FOUND):
            await call


async def test_roles_are_kept_apart(articles: Harness) -> None:
    article = await articles.created(title="Mine", assignment=articles.assignments.add("a", "anna"))
    served = articles.served
    brand, platform = articles.brand(), stub(served.as_platform())
    for nobody in (brand, platform, articles.service):
        for call in (
            nobody.CreateArticle(creation()),
            nobody.GetArticle(reading(article.name)),
            nobody.ListArticles(pb.ListArticlesRequest()),
            nobody.UpdateArticle(change(article)),
            nobody.DeleteArticle(deletion(article.name)),
            nobody.ValidateArticle(pb.ValidateArticleRequest(name=article.name)),
            nobody.LookUpProduct(pb.LookUpProductRequest(url=ADDRESS)),
        ):
            with refused(Reason.ROLE_NOT_ALLOWED):
                await call
    for staff in (articles.operator, stub(served.as_mediator())):
        for call in (
            staff.CreateArticle(creation()),
            staff.UpdateArticle(change(article)),
            staff.DeleteArticle(deletion(article.name)),
        ):
            with refused(Reason.ROLE_NOT_ALLOWED):
                await call
    for other in (articles.creator(), brand, articles.operator, platform):
        for call in (
            other.SealArticles(sealing(article)),
            other.HoldArticleRevisions(
                pb.HoldArticleRevisionsRequest(
                    names=[f"{article.name}/revisions/r"], holder="x", brand="brands/acme"
                )
            ),
        ):
            with refused(Reason.ROLE_NOT_ALLOWED):
                await call
    with refused(Reason.ROLE_NOT_ALLOWED):
        await platform.GetArticleRevision(
            pb.GetArticleRevisionRequest(name=f"{article.name}/revisions/r")
        )
