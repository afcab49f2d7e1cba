"""Publishing articles: requests, deliveries and due times."""

import asyncio
import hashlib
from datetime import timedelta
from typing import Any

import pytest
from liaison.media.v1 import articles_pb2, media_pb2
from liaison.media.v1 import publications_pb2 as pb
from liaison.media.v1.articles_pb2_grpc import ArticleServiceStub
from liaison.media.v1.media_pb2_grpc import MediaServiceStub

from servicekit.errors import Reason
from servicekit.timestamps import from_timestamp
from tests.integration.media.publications.harness import (
    DAY,
    ITEM,
    Harness,
    approval,
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
async def test_readers_get_the_whole_article_without_credentials(publications: Harness) -> None:
    banner = await publications.media_object(media_pb2.PURPOSE_BANNER)
    image = await publications.media_object(media_pb2.PURPOSE_IMAGE)
    pending = await publications.approved(
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
    published = await publications.delivered(pending)
    assert published.state == PUBLISHED

    answer = await publications.web.get(published.url)
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

    media = MediaServiceStub(publications.served.as_creator("anna"))
    kept = await media.GetMediaObject(media_pb2.GetMediaObjectRequest(name=image))
    full = await publications.web.get(picture["picture"]["full"]["url"])
    assert hashlib.sha256(full.content).hexdigest() == kept.sha256
    assert full.headers["cache-control"] == "public, max-age=86400"
    sizes = {"feed": 1080, "thumbnail": 320}
    for size, side in sizes.items():
        shown = picture["picture"][size]
        content = (await publications.web.get(shown["url"])).content
        assert max(shown["width"], shown["height"]) == side
        assert len(content) == shown["size_bytes"]


@pytest.mark.rule("R98")
async def test_create_publishes_a_creators_own_post_once(publications: Harness) -> None:
    article = await publications.article("bea")
    request = publishing(article)
    bea = publications.creator("bea")
    first = await bea.PublishArticle(request)
    assert first.state == PENDING
    assert (first.channel, first.creator, first.brand) == (pb.CHANNEL_FEED, "creators/bea", "")
    assert publications.workflows.started == [(first.name.removeprefix("publications/"), "PENDING")]
    published = await publications.delivered(first)
    assert await publications.status(published.url) == 200

    assert await bea.PublishArticle(request) == first  # the first answer again
    assert await bea.PublishArticle(publishing(article)) == published
    assert await publications.delivered(published) == published
    with refused(Reason.NOT_YOURS):
        await publications.creator("eve").PublishArticle(publishing(article))
    with refused(Reason.NOT_YOURS):
        await bea.PublishArticle(
            pb.PublishArticleRequest(name="articles/none", request_id=request_id())
        )


@pytest.mark.rule("R2", part="publishing")
async def test_only_admitted_creators_publish(publications: Harness) -> None:
    article = await publications.article("eve")
    with refused(Reason.CREATOR_NOT_ADMITTED):
        await publications.creator("eve").PublishArticle(publishing(article))
    assert publications.workflows.started == []
    with refused(Reason.NOT_YOURS):
        await publications.creator("eve").PublishArticle(
            publishing(await publications.article("bea"))
        )
    publications.levels.levels["eve"] = "NEWCOMER"
    request = publishing(article)
    first = await publications.creator("eve").PublishArticle(request)
    # What is published stays so, as does its answer, for who is admitted no more.
    publications.levels.levels.clear()
    assert await publications.creator("eve").PublishArticle(request) == first
    assert await publications.creator("eve").PublishArticle(publishing(article)) == first


async def test_a_published_draft_cannot_be_deleted(publications: Harness) -> None:
    article = await publications.article("bea")
    await publications.creator("bea").PublishArticle(publishing(article))
    articles = ArticleServiceStub(publications.served.as_creator("bea"))
    with refused(Reason.ILLEGAL_STATE):
        await articles.DeleteArticle(
            articles_pb2.DeleteArticleRequest(name=article.name, request_id=request_id())
        )


async def test_an_invalid_article_is_not_published(publications: Harness) -> None:
    article = await publications.article(title="x" * 61, hashtags=["no hashtag"])
    with refused(Reason.ARTICLE_INVALID, "article.title", "article.hashtags[0]"):
        await publications.creator().PublishArticle(publishing(article))
    assert publications.workflows.started == []


@pytest.mark.rule("R98")
async def test_an_article_for_an_assignment_is_published_only_by_approval(
    publications: Harness,
) -> None:
    article = await publications.article(assignment="assignments/as1")
    with refused(Reason.ILLEGAL_STATE) as caught:
        await publications.creator().PublishArticle(publishing(article))
    assert "published when that work is approved" in caught.value.message
    assert publications.workflows.started == []


@pytest.mark.rule("R99")
async def test_approved_work_is_due_within_24_hours_of_its_approval(
    publications: Harness,
) -> None:
    pending = await publications.approved()
    assert pending.state == PENDING
    assert (pending.brand, pending.assignment) == ("brands/acme", "assignments/as1")
    due, requested = from_timestamp(pending.due_time), from_timestamp(pending.request_time)
    assert due - requested == timedelta(hours=24)
    # Workers repeat the call after a crash, perhaps an hour later: the due time stays.
    again = approval(pending.article_revision, time=requested)
    await publications.worker.PublishApprovedArticles(again)
    assert await publications.get(pending.name) == pending
    assert len(set(publications.workflows.started)) == 1

    published = await publications.delivered(pending)
    assert requested <= from_timestamp(published.publish_time) < due
    assert not published.is_overdue
    marked = await publications.worker.MarkPublicationOverdue(
        pb.MarkPublicationOverdueRequest(name=pending.name)
    )
    assert marked == published


@pytest.mark.rule("R99")
async def test_an_overdue_publication_is_marked_and_still_published(publications: Harness) -> None:
    publications.feed.is_unavailable = True
    pending = await publications.approved()
    with refused(Reason.DEPENDENCY_UNAVAILABLE):
        await publications.delivered(pending)
    publications.media.passed += DAY + timedelta(minutes=1)
    for _ in range(2):
        marked = await publications.worker.MarkPublicationOverdue(
            pb.MarkPublicationOverdueRequest(name=pending.name)
        )
        assert (marked.state, marked.is_overdue) == (PENDING, True)
    late = await publications.operator.ListPublications(pb.ListPublicationsRequest(is_overdue=True))
    assert [one.name for one in late.publications] == [pending.name]
    publications.feed.is_unavailable = False
    published = await publications.delivered(pending)
    assert (published.state, published.is_overdue) == (PUBLISHED, True)


async def test_a_late_delivery_that_was_not_marked_is_overdue_too(publications: Harness) -> None:
    pending = await publications.posted()
    publications.media.passed += DAY + timedelta(minutes=1)
    assert (await publications.delivered(pending)).is_overdue


async def test_unknown_revisions_are_not_published(publications: Harness) -> None:
    with refused(Reason.NOT_FOUND):
        await publications.worker.PublishApprovedArticles(
            approval("articles/a1/revisions/r1", time=publications.now())
        )
    with refused(Reason.NOT_FOUND):
        await publications.delivered(pb.Publication(name="publications/none"))


async def test_the_sweep_starts_a_workflow_that_a_crash_left_unstarted(
    publications: Harness,
) -> None:
    article = await publications.article()
    request = publishing(article)
    publications.workflows.is_unavailable = True
    with refused(Reason.DEPENDENCY_UNAVAILABLE):
        await publications.creator().PublishArticle(request)
    publications.workflows.is_unavailable = False
    assert await publications.handlers.start_missing_workflows() == 1
    assert await publications.handlers.start_missing_workflows() == 0
    assert len(publications.workflows.started) == 1
    assert (
        await publications.creator().PublishArticle(request)
    ).state == PENDING  # the same request


async def test_a_delivery_may_be_repeated_by_many_at_once(publications: Harness) -> None:
    image = await publications.media_object(media_pb2.PURPOSE_IMAGE)
    block = articles_pb2.Block(image=articles_pb2.ImageBlock(media_object=image))
    pending = await publications.posted(blocks=[block, block])
    answers = await asyncio.gather(*(publications.delivered(pending) for _ in range(8)))
    assert len({answer.SerializeToString(deterministic=True) for answer in answers}) == 1
