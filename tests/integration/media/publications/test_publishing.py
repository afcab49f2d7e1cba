"""How articles come to their readers, and go from them."""

import asyncio
import hashlib
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import pytest
from liaison.media.v1 import articles_pb2, media_pb2
from liaison.media.v1 import publications_pb2 as pb
from liaison.media.v1.articles_pb2_grpc import ArticleServiceStub
from liaison.media.v1.media_pb2_grpc import MediaServiceStub

from servicekit.errors import LiaisonError, Reason, Unavailable
from servicekit.timestamps import from_timestamp
from services.media.publications.commands import GetPublication
from tests.integration.media.publications.press import (
    DAY,
    ITEM,
    PUBLIC,
    Press,
    approval,
    withdrawal,
)
from tests.support.serving import refused, request_id

PENDING, PUBLISHED, WITHDRAWN = (
    pb.Publication.STATE_PENDING,
    pb.Publication.STATE_PUBLISHED,
    pb.Publication.STATE_WITHDRAWN,
)


def publishing(article: Any, **values: Any) -> pb.PublishArticleRequest:
    return pb.PublishArticleRequest(name=article.name, **{"request_id": request_id()} | values)


@pytest.mark.rule("R73", "R93")
async def test_readers_get_the_whole_article_without_asking_anybody(press: Press) -> None:
    banner = await press.media_object(media_pb2.PURPOSE_BANNER)
    image = await press.media_object(media_pb2.PURPOSE_IMAGE)
    pending = await press.approved(
        banner=banner,
        hashtags=["#Lamps"],
        blocks=[
            articles_pb2.Block(text=articles_pb2.TextBlock(text="Look at it.")),
            articles_pb2.Block(
                image=articles_pb2.ImageBlock(media_object=image, description="At night")
            ),
            articles_pb2.Block(
                product=articles_pb2.ProductBlock(
                    url=f"https://es.aliexpress.com/item/{ITEM}.html?spm=secret"
                )
            ),
            articles_pb2.Block(
                video=articles_pb2.VideoBlock(youtube_url="https://youtu.be/dQw4w9WgXcQ")
            ),
            articles_pb2.Block(
                coupon=articles_pb2.CouponBlock(store_id="911", coupon_ids=["SPRING"])
            ),
        ],
    )
    published = await press.delivered(pending)
    assert published.state == PUBLISHED

    answer = await press.web.get(published.url)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.headers["cache-control"] == "public, max-age=60"
    document = answer.json()
    text, picture, product, video, coupons = document["blocks"]
    assert text == {"type": "text", "text": "Look at it."}
    assert picture["description"] == "At night"
    assert product["url"] == f"https://www.aliexpress.com/item/{ITEM}.html"
    assert product["title"]
    assert video["youtube_id"] == "dQw4w9WgXcQ"
    assert coupons["store_url"] == "https://www.aliexpress.com/store/911"
    assert coupons["coupon_ids"] == ["SPRING"]
    assert document["teaser"] == {"picture": document["banner"], "sentence": "It shines."}
    for private in ("acme", "as1", "mediaObjects", "secret"):
        assert private not in answer.text

    media = MediaServiceStub(press.served.as_creator("anna"))
    kept = await media.GetMediaObject(media_pb2.GetMediaObjectRequest(name=image))
    full = await press.web.get(picture["picture"]["full"]["url"])
    assert hashlib.sha256(full.content).hexdigest() == kept.sha256
    assert full.headers["cache-control"] == "public, max-age=86400"
    sizes = {"feed": 1080, "thumbnail": 320}
    for size, side in sizes.items():
        shown = picture["picture"][size]
        content = (await press.web.get(shown["url"])).content
        assert max(shown["width"], shown["height"]) == side
        assert len(content) == shown["size_bytes"]


@pytest.mark.rule("R98")
async def test_create_publishes_a_creators_own_post_once(press: Press) -> None:
    article = await press.article("bea")
    request = publishing(article)
    bea = press.creator("bea")
    first = await bea.PublishArticle(request)
    assert first.state == PENDING
    assert (first.channel, first.creator, first.brand) == (pb.CHANNEL_FEED, "creators/bea", "")
    assert press.runs.started == [(first.name.removeprefix("publications/"), "PENDING")]
    published = await press.delivered(first)
    assert await press.status(published.url) == 200

    assert await bea.PublishArticle(request) == first  # the first answer again
    assert await bea.PublishArticle(publishing(article)) == published
    assert await press.delivered(published) == published
    with refused(Reason.NOT_YOURS):
        await press.creator("eve").PublishArticle(publishing(article))
    with refused(Reason.NOT_YOURS):
        await bea.PublishArticle(
            pb.PublishArticleRequest(name="articles/none", request_id=request_id())
        )


@pytest.mark.rule("R2", part="publishing")
async def test_only_admitted_creators_publish(press: Press) -> None:
    article = await press.article("eve")
    with refused(Reason.CREATOR_NOT_ADMITTED):
        await press.creator("eve").PublishArticle(publishing(article))
    assert press.runs.started == []
    with refused(Reason.NOT_YOURS):
        await press.creator("eve").PublishArticle(publishing(await press.article("bea")))
    press.levels.levels["eve"] = "NEWCOMER"
    request = publishing(article)
    first = await press.creator("eve").PublishArticle(request)
    # What is published stays so, as does its answer, for who is admitted no more.
    press.levels.levels.clear()
    assert await press.creator("eve").PublishArticle(request) == first
    assert await press.creator("eve").PublishArticle(publishing(article)) == first


async def test_what_is_published_is_not_thrown_away(press: Press) -> None:
    article = await press.article("bea")
    await press.creator("bea").PublishArticle(publishing(article))
    articles = ArticleServiceStub(press.served.as_creator("bea"))
    with refused(Reason.ILLEGAL_STATE):
        await articles.DeleteArticle(
            articles_pb2.DeleteArticleRequest(name=article.name, request_id=request_id())
        )


async def test_what_breaks_rules_is_not_published(press: Press) -> None:
    article = await press.article(title="x" * 61, hashtags=["no hashtag"])
    with refused(Reason.ARTICLE_INVALID, "article.title", "article.hashtags[0]"):
        await press.creator().PublishArticle(publishing(article))
    assert press.runs.started == []


@pytest.mark.rule("R98")
async def test_what_is_written_for_an_assignment_waits_for_its_approval(press: Press) -> None:
    article = await press.article(assignment="assignments/as1")
    with refused(Reason.ILLEGAL_STATE) as caught:
        await press.creator().PublishArticle(publishing(article))
    assert "published when that work is approved" in caught.value.message
    assert press.runs.started == []


@pytest.mark.rule("R99")
async def test_approved_work_is_promised_within_24_hours_of_its_approval(press: Press) -> None:
    pending = await press.approved()
    assert pending.state == PENDING
    assert (pending.brand, pending.assignment) == ("brands/acme", "assignments/as1")
    due, requested = from_timestamp(pending.due_time), from_timestamp(pending.request_time)
    assert due - requested == timedelta(hours=24)
    # The workers ask again after a crash, perhaps an hour later: it is the same promise.
    again = approval(pending.article_revision, time=requested)
    await press.worker.PublishApprovedArticles(again)
    assert await press.get(pending.name) == pending
    assert len(set(press.runs.started)) == 1

    published = await press.delivered(pending)
    assert requested <= from_timestamp(published.publish_time) < due
    assert not published.is_overdue
    marked = await press.worker.MarkPublicationOverdue(
        pb.MarkPublicationOverdueRequest(name=pending.name)
    )
    assert marked == published


@pytest.mark.rule("R99")
async def test_what_is_late_is_marked_and_published_all_the_same(press: Press) -> None:
    press.feed.is_away = True
    pending = await press.approved()
    with refused(Reason.DEPENDENCY_UNAVAILABLE):
        await press.delivered(pending)
    press.harness.passed += DAY + timedelta(minutes=1)
    for _ in range(2):
        marked = await press.worker.MarkPublicationOverdue(
            pb.MarkPublicationOverdueRequest(name=pending.name)
        )
        assert (marked.state, marked.is_overdue) == (PENDING, True)
    late = await press.operator.ListPublications(pb.ListPublicationsRequest(is_overdue=True))
    assert [one.name for one in late.publications] == [pending.name]
    press.feed.is_away = False
    published = await press.delivered(pending)
    assert (published.state, published.is_overdue) == (PUBLISHED, True)


async def test_what_arrives_late_unmarked_is_overdue_too(press: Press) -> None:
    pending = await press.posted()
    press.harness.passed += DAY + timedelta(minutes=1)
    assert (await press.delivered(pending)).is_overdue


async def test_unknown_revisions_are_not_published(press: Press) -> None:
    with refused(Reason.NOT_FOUND):
        await press.worker.PublishApprovedArticles(
            approval("articles/a1/revisions/r1", time=press.now())
        )
    with refused(Reason.NOT_FOUND):
        await press.delivered(pb.Publication(name="publications/none"))


async def test_what_a_crash_left_without_a_workflow_gets_one(press: Press) -> None:
    article = await press.article()
    request = publishing(article)
    press.runs.is_away = True
    with refused(Reason.DEPENDENCY_UNAVAILABLE):
        await press.creator().PublishArticle(request)
    press.runs.is_away = False
    assert await press.handlers.start_missing_runs() == 1
    assert await press.handlers.start_missing_runs() == 0
    assert len(press.runs.started) == 1
    assert (await press.creator().PublishArticle(request)).state == PENDING  # the same request


async def test_a_delivery_may_be_repeated_by_many_at_once(press: Press) -> None:
    image = await press.media_object(media_pb2.PURPOSE_IMAGE)
    block = articles_pb2.Block(image=articles_pb2.ImageBlock(media_object=image))
    pending = await press.posted(blocks=[block, block])
    answers = await asyncio.gather(*(press.delivered(pending) for _ in range(8)))
    assert len({answer.SerializeToString(deterministic=True) for answer in answers}) == 1


async def test_a_withdrawn_article_is_gone_for_its_readers(press: Press) -> None:
    published = await press.published()
    request = withdrawal(published)
    withdrawn = await press.operator.WithdrawPublication(request)
    assert (withdrawn.state, withdrawn.withdraw_reason) == (WITHDRAWN, "A complaint")
    assert await press.status(published.url) in (403, 404)
    id_ = published.name.removeprefix("publications/")
    assert (id_, "WITHDRAWN") in press.runs.started
    assert await press.operator.WithdrawPublication(request) == withdrawn
    with refused(Reason.ILLEGAL_STATE) as caught:
        await press.withdraw(published)
    assert caught.value.metadata["state"] == "WITHDRAWN"
    # It is published once: nobody brings it back.
    assert (await press.delivered(published)).state == WITHDRAWN
    assert await press.status(published.url) in (403, 404)


async def illustrated(press: Press, *media: str) -> tuple[pb.Publication, dict[str, int]]:
    """An article that shows them, published, and what anybody is answered for its files."""
    published = await press.published(blocks=list(map(picture, media)))
    return published, await statuses(press, await addresses(press, published))


def picture(media: str) -> articles_pb2.Block:
    return articles_pb2.Block(image=articles_pb2.ImageBlock(media_object=media))


async def addresses(press: Press, publication: pb.Publication) -> list[str]:
    blocks = (await press.web.get(publication.url)).json()["blocks"]
    return [size["url"] for block in blocks for size in block["picture"].values() if "url" in size]


async def statuses(press: Press, urls: Iterable[str]) -> dict[str, int]:
    return {url: await press.status(url) for url in urls}


async def test_its_pictures_go_with_it_and_those_of_other_articles_stay(press: Press) -> None:
    shared = await press.media_object(media_pb2.PURPOSE_IMAGE)
    alone = await press.media_object(media_pb2.PURPOSE_IMAGE, width=1000)
    withdrawn, gone = await illustrated(press, shared, alone)
    _, kept = await illustrated(press, shared)
    assert len(gone) > len(kept) == 3
    assert {*gone.values(), *kept.values()} == {200}
    await press.withdraw(withdrawn)
    assert set((await statuses(press, gone)).values()) <= {403, 404}
    assert await statuses(press, kept) == kept


async def test_withdrawals_and_deliveries_of_the_same_pictures_do_not_disturb_one_another(
    press: Press,
) -> None:
    images = [
        await press.media_object(media_pb2.PURPOSE_IMAGE, width=width) for width in (1000, 1400)
    ]
    blocks = list(map(picture, images))
    for _ in range(5):
        first, gone = await illustrated(press, *images)
        pending = await press.posted(blocks=blocks)
        arrived, _ = await asyncio.gather(press.delivered(pending), press.withdraw(first))
        assert set((await statuses(press, gone)).values()) <= {403, 404}
        shown = await statuses(press, await addresses(press, arrived))
        assert set(shown.values()) == {200}


async def objects_of(press: Press, publication: pb.Publication) -> list[str]:
    """What readers are shown of a publication whose article shows one image."""
    article, _, revision = publication.article_revision.partition("/revisions/")
    media = [await press.harness.store.get(one) for one in await press.media_in(publication)]
    files = [
        f"{article}/media/{stored.sha256}.jpg"
        for one in media
        if one and one.accepted
        for stored in (one.accepted, *one.accepted.renditions.values())
    ]
    assert files
    keys = [f"{article}/{revision}.json", *files]
    return [key for key in keys if await press.harness.objects.stat(PUBLIC, key) is not None]


async def test_a_delivery_whose_caller_gave_up_leaves_nothing_of_what_is_withdrawn(
    press: Press,
) -> None:
    image = await press.media_object(media_pb2.PURPOSE_IMAGE)
    pending = await press.posted(blocks=[picture(image)])
    is_there, is_withdrawn = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        is_there.set()
        await is_withdrawn.wait()

    press.feed.before_answering = wait
    call = asyncio.create_task(press.delivered(pending))
    await is_there.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert len(await objects_of(press, pending)) == 4
    press.feed.is_away = True  # a withdrawal that comes no further than its row
    with refused(Reason.DEPENDENCY_UNAVAILABLE):
        await press.withdraw(pending)
    press.feed.is_away = False
    is_withdrawn.set()
    assert (await press.delivered(pending)).state == WITHDRAWN
    assert await objects_of(press, pending) == []


async def test_a_delivery_that_fails_half_way_leaves_nothing_of_what_is_withdrawn(
    press: Press,
) -> None:
    image = await press.media_object(media_pb2.PURPOSE_IMAGE)
    pending = await press.posted(blocks=[picture(image)])

    async def withdraw_and_fail() -> None:
        await press.withdraw(pending)
        raise Unavailable(Reason.DEPENDENCY_UNAVAILABLE, "Object storage does not answer")

    press.feed.before_answering = withdraw_and_fail
    assert (await press.delivered(pending)).state == WITHDRAWN
    assert await objects_of(press, pending) == []


async def test_one_that_is_withdrawn_on_its_way_never_arrives(press: Press) -> None:
    pending = await press.approved()
    await press.withdraw(pending)
    answer = await press.delivered(pending)
    assert (answer.state, answer.url, answer.is_overdue) == (WITHDRAWN, "", False)
    marked = await press.worker.MarkPublicationOverdue(
        pb.MarkPublicationOverdueRequest(name=pending.name)
    )
    assert not marked.is_overdue


async def test_what_arrives_while_it_is_withdrawn_is_taken_back(press: Press) -> None:
    pending = await press.posted()

    async def withdraw() -> None:
        await press.withdraw(pending)

    press.feed.before_answering = withdraw
    answer = await press.delivered(pending)
    assert answer.state == WITHDRAWN
    article, _, revision = answer.article_revision.partition("/revisions/")
    key = f"{article}/{revision}.json"
    assert await press.harness.objects.stat("media-public", key) is None


async def test_storage_that_is_away_delays_a_withdrawal_and_no_more(press: Press) -> None:
    published = await press.published()
    request = withdrawal(published)
    press.feed.is_away = True
    with refused(Reason.DEPENDENCY_UNAVAILABLE):
        await press.operator.WithdrawPublication(request)
    assert await press.handlers.start_missing_runs() == 1  # whose workflow goes on
    press.feed.is_away = False
    await press.handlers.deliver_publication(GetPublication(name=published.name))  # as it asks
    assert await press.status(published.url) in (403, 404)
    assert (await press.operator.WithdrawPublication(request)).state == WITHDRAWN


@pytest.mark.parametrize("reason", ["", " ", "x" * 1001])
async def test_a_withdrawal_says_why(press: Press, reason: str) -> None:
    published = await press.published()
    with refused(Reason.INVALID_FIELDS, "reason"):
        await press.withdraw(published, reason=reason)
    with refused(Reason.NOT_FOUND):
        await press.withdraw(pb.Publication(name="publications/none"))


async def test_who_may_see_a_publication(press: Press) -> None:
    publication = await press.approved()
    request = pb.GetPublicationRequest(name=publication.name)
    for reader in (press.creator(), press.brand(), press.operator, press.platform, press.worker):
        assert await reader.GetPublication(request) == publication
    for stranger in (press.creator("eve"), press.brand("evil")):
        for name in (publication.name, "publications/none"):
            with refused(Reason.NOT_YOURS):
                await stranger.GetPublication(pb.GetPublicationRequest(name=name))
    own = await press.posted("bea")
    with refused(Reason.NOT_YOURS):
        await press.brand().GetPublication(pb.GetPublicationRequest(name=own.name))
    with refused(Reason.NOT_FOUND):
        await press.platform.GetPublication(pb.GetPublicationRequest(name="publications/none"))


async def test_publications_are_listed_to_those_whom_they_concern(press: Press) -> None:
    names = []
    for creator in ("anna", "bea", "anna"):
        press.harness.passed += timedelta(seconds=1)
        names.append((await press.posted(creator)).name)
    press.harness.passed += timedelta(seconds=1)
    names.append((await press.approved()).name)
    first, second, third, fourth = names

    async def listed(stub: Any, **values: Any) -> list[str]:
        answer = await stub.ListPublications(pb.ListPublicationsRequest(**values))
        return [one.name for one in answer.publications]

    assert await listed(press.operator) == [fourth, third, second, first]
    assert await listed(press.platform, creator="creators/bea") == [second]
    assert await listed(press.creator()) == [fourth, third, first]
    assert await listed(press.creator("eve")) == []
    assert await listed(press.brand()) == await listed(press.operator, brand="brands/acme")
    assert await listed(press.brand()) == [fourth]
    article = second.removeprefix("publications/").removesuffix("-feed")
    assert await listed(press.operator, article=f"articles/{article}") == [second]
    assert await listed(press.creator(), article=f"articles/{article}") == []
    assert await listed(press.operator, state=PUBLISHED) == []
    with refused(Reason.NOT_YOURS):
        await listed(press.creator(), creator="creators/bea")
    with refused(Reason.NOT_YOURS):
        await listed(press.brand(), brand="brands/evil")

    page = await press.operator.ListPublications(pb.ListPublicationsRequest(page_size=3))
    rest = await press.operator.ListPublications(
        pb.ListPublicationsRequest(page_size=3, page_token=page.next_page_token)
    )
    assert [one.name for one in [*page.publications, *rest.publications]] == names[::-1]
    with refused(Reason.INVALID_FIELDS, "page_token"):
        await listed(press.creator(), page_token=page.next_page_token)


async def test_only_those_whose_affair_it_is_may_ask(press: Press) -> None:
    publication = await press.posted()
    calls: list[tuple[Any, str, Any]] = [
        (press.brand(), "PublishArticle", pb.PublishArticleRequest(name="articles/a1")),
        (press.creator(), "WithdrawPublication", withdrawal(publication)),
        (press.operator, "DeliverPublication", pb.DeliverPublicationRequest(name="x")),
        (press.creator(), "MarkPublicationOverdue", pb.MarkPublicationOverdueRequest(name="x")),
        (press.brand(), "PublishApprovedArticles", approval("x", time=press.now())),
        (press.operator, "RepostArticle", pb.RepostArticleRequest(name=publication.name)),
    ]
    for stub, method, request in calls:
        with pytest.raises(LiaisonError) as caught:
            await getattr(stub, method)(request)
        assert caught.value.reason is Reason.ROLE_NOT_ALLOWED
