"""An article on the whole stack: uploaded through presigned URLs, submitted, approved, read over
HTTP, and withdrawn."""

import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import pytest_asyncio
from liaison.media.v1 import articles_pb2, media_pb2, publications_pb2
from liaison.notifications.v1 import notifications_pb2
from liaison.tasks.v1 import assignments_pb2

from cli.demo import articles, pictures
from cli.demo.actors import Caller, call_until_answered, new_request_id, until
from cli.demo.pictures import Picture
from cli.demo.preparation import prepare
from cli.demo.story import Story
from devstack.stack import Stack
from servicekit.errors import Reason
from tests.support.demo import story_on, whole_stack
from tests.support.serving import refused

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("story")]


@dataclass(frozen=True)
class Published:
    """What is published once anna's work is approved."""

    story: Story
    article: articles_pb2.Article
    images: dict[str, media_pb2.MediaObject]
    publication: publications_pb2.Publication


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    async with whole_stack(tmp_path_factory.mktemp("article")) as stack:
        yield stack


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def published(stack: Stack) -> AsyncIterator[Published]:
    async with story_on(stack, "article") as story:
        await prepare(story)
        anna, client = story.creators["anna"], story.clients["anna"]
        banner = await client.upload(pictures.jpeg("banner", 1500, 720), "banner")
        image = await _post(anna, pictures.png("outdoors", 1200, 800))
        written = articles.hasty_draft(story.assignment("anna"), banner, image.name)
        article = await client.write(articles.corrected(written))
        await _deliver(story, article)
        await call_until_answered(
            story.acme.assignments.ApproveWork,
            assignments_pb2.ApproveWorkRequest(
                name=story.assignment("anna"), request_id=new_request_id()
            ),
        )
        publication = await client.until_published(article)
        images = {
            "banner": await anna.media.GetMediaObject(media_pb2.GetMediaObjectRequest(name=banner)),
            "image": image,
        }
        yield Published(story, article, images, publication)


async def _post(creator: Caller, picture: Picture) -> media_pb2.MediaObject:
    """Uploads as a browser's form does, without a hash."""
    upload = await creator.media.CreateUpload(
        media_pb2.CreateUploadRequest(
            purpose=media_pb2.PURPOSE_IMAGE,
            size_bytes=len(picture.data),
            content_type=picture.content_type,
            request_id=new_request_id(),
        )
    )
    assert not upload.headers
    async with httpx.AsyncClient() as http:
        answer = await http.post(
            upload.url,
            data=dict(upload.form_fields),
            files={"file": (picture.name, picture.data, picture.content_type)},
        )
    answer.raise_for_status()
    found = await creator.media.FinalizeUpload(
        media_pb2.FinalizeUploadRequest(name=upload.name, request_id=new_request_id())
    )
    assert found.state == media_pb2.MediaObject.STATE_ACCEPTED, list(found.rejections)
    return found


async def _deliver(story: Story, article: articles_pb2.Article) -> None:
    answer = await call_until_answered(
        story.creators["anna"].assignments.SubmitWork,
        assignments_pb2.SubmitWorkRequest(
            name=story.assignment("anna"),
            submission=assignments_pb2.Submission(articles=[article.name]),
            request_id=new_request_id(),
        ),
    )
    (revision,) = answer.submissions[-1].article_revisions
    shown = await story.acme.articles.GetArticleRevision(
        articles_pb2.GetArticleRevisionRequest(name=revision)
    )
    assert shown.article.title == article.title


async def _get(url: str) -> httpx.Response:
    """Reads as anybody: without a token, a signature or a cookie."""
    async with httpx.AsyncClient() as http:
        return await http.get(url)


async def _document(published: Published) -> dict[str, Any]:
    answer = await _get(published.publication.url)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    document: dict[str, Any] = answer.json()
    return document


def _files(*pictures: Any) -> set[str]:
    """The addresses of every size of them."""
    return {picture[size]["url"] for picture in pictures for size in ("full", "feed", "thumbnail")}


async def _posted_besides(published: Published) -> dict[str, Any]:
    """What readers get of a post of anna's own that shows an image of her article, too."""
    anna, client = published.story.creators["anna"], published.story.clients["anna"]
    post = await client.write(articles.short_article("", published.images["image"].name))
    await call_until_answered(
        anna.publications.PublishArticle,
        publications_pb2.PublishArticleRequest(name=post.name, request_id=new_request_id()),
    )
    answer = await _get((await client.until_published(post)).url)
    document: dict[str, Any] = answer.json()
    return document


@pytest.mark.rule("R60", "R74", "R86", "R93")
async def test_readers_find_all_that_was_written_in_its_order(published: Published) -> None:
    document, article = await _document(published), published.article
    assert document["article"] == article.name
    assert document["revision"] == published.publication.article_revision
    assert document["creator"] == published.publication.creator
    assert (document["title"], document["introduction"]) == (article.title, article.introduction)
    assert document["hashtags"] == list(article.hashtags)
    text, image, product, video, coupons = document["blocks"]
    assert text == {"type": "text", "text": article.blocks[0].text.text}
    assert image["description"] == article.blocks[1].image.description
    item = article.blocks[2].product.item_id
    assert product["url"] == f"https://www.aliexpress.com/item/{item}.html"
    assert product["title"]  # as the catalogue knows it
    assert product["description"] == article.blocks[2].product.description
    youtube_id = article.blocks[3].video.youtube_id
    assert (video["youtube_id"], youtube_id) == (youtube_id, "aqz-KE-bpKQ")
    store_id = articles.COUPONS.store_id
    assert coupons["coupon_ids"] == list(articles.COUPONS.coupon_ids)
    assert coupons["store_url"] == f"https://www.aliexpress.com/store/{store_id}"


@pytest.mark.rule("R73")
async def test_the_inspiration_tab_gets_the_first_picture_and_the_first_sentence(
    published: Published,
) -> None:
    document = await _document(published)
    assert document["teaser"] == {
        "picture": document["banner"],
        "sentence": "I carried it for two days.",
    }


async def test_the_pictures_are_the_accepted_bytes(published: Published) -> None:
    document = await _document(published)
    shown = {"banner": document["banner"], "image": document["blocks"][1]["picture"]}
    for name, picture in shown.items():
        accepted = published.images[name]
        original = await _get(picture["full"]["url"])
        assert hashlib.sha256(original.content).hexdigest() == accepted.sha256
        assert original.headers["content-type"] == accepted.content_type
        for rendition in ("feed", "thumbnail"):
            smaller = await _get(picture[rendition]["url"])
            assert smaller.status_code == 200
            assert picture[rendition]["width"] <= picture["full"]["width"]


async def test_readers_see_nothing_of_the_assignment(published: Published) -> None:
    document = (await _get(published.publication.url)).text
    for word in ("assignments/", "brands/", "mediaObjects/", published.story.actors.id_of("acme")):
        assert word not in document


async def test_later_edits_change_nothing_of_what_was_approved(published: Published) -> None:
    before = (await _get(published.publication.url)).content
    edited = articles_pb2.Article()
    edited.CopyFrom(published.article)
    edited.title = "Something else"
    await published.story.clients["anna"].rewrite(edited)
    assert (await _get(published.publication.url)).content == before
    with refused(Reason.ILLEGAL_STATE):
        await _deliver(published.story, edited)


async def test_a_withdrawn_article_is_gone_and_its_creator_is_notified(
    published: Published,
) -> None:
    """The last of these tests."""
    story, url = published.story, published.publication.url
    document = await _document(published)
    files = _files(document["banner"], document["blocks"][1]["picture"])
    kept = _files((await _posted_besides(published))["blocks"][1]["picture"])
    assert {(await _get(file)).status_code for file in files | kept} == {200}
    withdrawal = publications_pb2.WithdrawPublicationRequest(
        name=published.publication.name,
        reason="The product is recalled",
        request_id=new_request_id(),
    )
    with refused(Reason.ROLE_NOT_ALLOWED):
        await story.acme.publications.WithdrawPublication(withdrawal)
    withdrawn = await call_until_answered(story.olga.publications.WithdrawPublication, withdrawal)
    assert withdrawn.state == publications_pb2.Publication.STATE_WITHDRAWN
    assert withdrawn.withdraw_reason == "The product is recalled"
    assert (await _get(url)).status_code == 404
    assert {(await _get(file)).status_code for file in files} <= {403, 404}
    assert {(await _get(file)).status_code for file in kept} == {200}
    page = await until(
        lambda: call_until_answered(
            story.creators["anna"].notifications.ListNotifications,
            notifications_pb2.ListNotificationsRequest(page_size=200),
        ),
        lambda page: any(one.subject == withdrawn.name for one in page.notifications),
    )
    assert any("The product is recalled" in one.text for one in page.notifications)
