"""Withdrawals: what readers no longer get, and concurrent deliveries."""

import asyncio
from collections.abc import Iterable

import pytest
from liaison.media.v1 import articles_pb2, media_pb2
from liaison.media.v1 import publications_pb2 as pb

from servicekit.errors import Reason, Unavailable
from services.media.publications.commands import GetPublication
from tests.integration.media.publications.harness import (
    PUBLIC,
    Harness,
    withdrawal,
)
from tests.support.serving import refused

PENDING, PUBLISHED, WITHDRAWN = (
    pb.Publication.STATE_PENDING,
    pb.Publication.STATE_PUBLISHED,
    pb.Publication.STATE_WITHDRAWN,
)


async def test_readers_no_longer_get_a_withdrawn_article(publications: Harness) -> None:
    published = await publications.published()
    request = withdrawal(published)
    withdrawn = await publications.operator.WithdrawPublication(request)
    assert (withdrawn.state, withdrawn.withdraw_reason) == (WITHDRAWN, "A complaint")
    assert await publications.status(published.url) in (403, 404)
    id_ = published.name.removeprefix("publications/")
    assert (id_, "WITHDRAWN") in publications.workflows.started
    assert await publications.operator.WithdrawPublication(request) == withdrawn
    with refused(Reason.ILLEGAL_STATE) as caught:
        await publications.withdraw(published)
    assert caught.value.metadata["state"] == "WITHDRAWN"
    # It is published once: nobody brings it back.
    assert (await publications.delivered(published)).state == WITHDRAWN
    assert await publications.status(published.url) in (403, 404)


async def illustrated(publications: Harness, *media: str) -> tuple[pb.Publication, dict[str, int]]:
    """An article that shows them, published, and what anybody is answered for its files."""
    published = await publications.published(blocks=list(map(picture, media)))
    return published, await statuses(publications, await addresses(publications, published))


def picture(media: str) -> articles_pb2.Block:
    return articles_pb2.Block(image=articles_pb2.ImageBlock(media_object=media))


async def addresses(publications: Harness, publication: pb.Publication) -> list[str]:
    blocks = (await publications.web.get(publication.url)).json()["blocks"]
    return [size["url"] for block in blocks for size in block["picture"].values() if "url" in size]


async def statuses(publications: Harness, urls: Iterable[str]) -> dict[str, int]:
    return {url: await publications.status(url) for url in urls}


async def test_a_withdrawal_removes_the_articles_images_and_no_others(
    publications: Harness,
) -> None:
    shared = await publications.media_object(media_pb2.PURPOSE_IMAGE)
    alone = await publications.media_object(media_pb2.PURPOSE_IMAGE, width=1000)
    withdrawn, gone = await illustrated(publications, shared, alone)
    _, kept = await illustrated(publications, shared)
    assert len(gone) > len(kept) == 3
    assert {*gone.values(), *kept.values()} == {200}
    await publications.withdraw(withdrawn)
    assert set((await statuses(publications, gone)).values()) <= {403, 404}
    assert await statuses(publications, kept) == kept


async def test_withdrawals_and_deliveries_of_the_same_pictures_do_not_disturb_one_another(
    publications: Harness,
) -> None:
    images = [
        await publications.media_object(media_pb2.PURPOSE_IMAGE, width=width)
        for width in (1000, 1400)
    ]
    blocks = list(map(picture, images))
    for _ in range(5):
        first, gone = await illustrated(publications, *images)
        pending = await publications.posted(blocks=blocks)
        arrived, _ = await asyncio.gather(
            publications.delivered(pending), publications.withdraw(first)
        )
        assert set((await statuses(publications, gone)).values()) <= {403, 404}
        shown = await statuses(publications, await addresses(publications, arrived))
        assert set(shown.values()) == {200}


async def objects_of(publications: Harness, publication: pb.Publication) -> list[str]:
    """What readers are shown of a publication whose article shows one image."""
    article, _, revision = publication.article_revision.partition("/revisions/")
    media = [
        await publications.media.store.get(one) for one in await publications.media_in(publication)
    ]
    files = [
        f"{article}/media/{stored.sha256}.jpg"
        for one in media
        if one and one.accepted
        for stored in (one.accepted, *one.accepted.renditions.values())
    ]
    assert files
    keys = [f"{article}/{revision}.json", *files]
    return [key for key in keys if await publications.media.objects.stat(PUBLIC, key) is not None]


async def test_a_delivery_whose_caller_gave_up_leaves_nothing_of_what_is_withdrawn(
    publications: Harness,
) -> None:
    image = await publications.media_object(media_pb2.PURPOSE_IMAGE)
    pending = await publications.posted(blocks=[picture(image)])
    is_there, is_withdrawn = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        is_there.set()
        await is_withdrawn.wait()

    publications.feed.before_returning = wait
    call = asyncio.create_task(publications.delivered(pending))
    await is_there.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert len(await objects_of(publications, pending)) == 4
    publications.feed.is_unavailable = True  # a withdrawal that comes no further than its row
    with refused(Reason.DEPENDENCY_UNAVAILABLE):
        await publications.withdraw(pending)
    publications.feed.is_unavailable = False
    is_withdrawn.set()
    assert (await publications.delivered(pending)).state == WITHDRAWN
    assert await objects_of(publications, pending) == []


async def test_a_delivery_that_fails_half_way_leaves_nothing_of_what_is_withdrawn(
    publications: Harness,
) -> None:
    image = await publications.media_object(media_pb2.PURPOSE_IMAGE)
    pending = await publications.posted(blocks=[picture(image)])

    async def withdraw_and_fail() -> None:
        await publications.withdraw(pending)
        raise Unavailable(Reason.DEPENDENCY_UNAVAILABLE, "Object storage does not answer")

    publications.feed.before_returning = withdraw_and_fail
    assert (await publications.delivered(pending)).state == WITHDRAWN
    assert await objects_of(publications, pending) == []


async def test_a_publication_withdrawn_while_pending_is_not_delivered(
    publications: Harness,
) -> None:
    pending = await publications.approved()
    await publications.withdraw(pending)
    answer = await publications.delivered(pending)
    assert (answer.state, answer.url, answer.is_overdue) == (WITHDRAWN, "", False)
    marked = await publications.worker.MarkPublicationOverdue(
        pb.MarkPublicationOverdueRequest(name=pending.name)
    )
    assert not marked.is_overdue


async def test_a_delivery_that_ends_after_the_withdrawal_is_removed(publications: Harness) -> None:
    pending = await publications.posted()

    async def withdraw() -> None:
        await publications.withdraw(pending)

    publications.feed.before_returning = withdraw
    answer = await publications.delivered(pending)
    assert answer.state == WITHDRAWN
    article, _, revision = answer.article_revision.partition("/revisions/")
    key = f"{article}/{revision}.json"
    assert await publications.media.objects.stat("media-public", key) is None


async def test_unavailable_storage_only_delays_a_withdrawal(publications: Harness) -> None:
    published = await publications.published()
    request = withdrawal(published)
    publications.feed.is_unavailable = True
    with refused(Reason.DEPENDENCY_UNAVAILABLE):
        await publications.operator.WithdrawPublication(request)
    assert await publications.handlers.start_missing_workflows() == 1  # whose workflow goes on
    publications.feed.is_unavailable = False
    await publications.handlers.deliver_publication(
        GetPublication(name=published.name)
    )  # as it asks
    assert await publications.status(published.url) in (403, 404)
    assert (await publications.operator.WithdrawPublication(request)).state == WITHDRAWN


@pytest.mark.parametrize("reason", ["", " ", "x" * 1001])
async def test_a_withdrawal_says_why(publications: Harness, reason: str) -> None:
    published = await publications.published()
    with refused(Reason.INVALID_FIELDS, "reason"):
        await publications.withdraw(published, reason=reason)
    with refused(Reason.NOT_FOUND):
        await publications.withdraw(pb.Publication(name="publications/none"))
