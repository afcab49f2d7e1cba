"""What one creator may keep: it is bounded, however much is written at once, and won back."""

import asyncio
from datetime import timedelta

import pytest
from liaison.media.v1 import articles_pb2 as pb

from servicekit.errors import LiaisonError, Reason
from tests.integration.media.articles.harness import (
    QUOTA,
    Harness,
    change,
    creation,
    deletion,
    text,
)
from tests.support.serving import refused

DAY = timedelta(days=1)
MEBIBYTES_10 = 10 * 1024 * 1024


def long(letter: str = "x", size_bytes: int = MEBIBYTES_10) -> list[pb.Block]:
    return [text(letter * size_bytes)]


async def test_of_drafts_at_once_no_more_are_kept_than_may_be(articles: Harness) -> None:
    anna = articles.creator()
    requests = [creation(title=f"{number}") for number in range(QUOTA.drafts_kept + 5)]
    ends = await asyncio.gather(*map(anna.CreateArticle, requests), return_exceptions=True)
    kept = [one for one in ends if isinstance(one, pb.Article)]
    lost = [one for one in ends if isinstance(one, LiaisonError)]
    assert len(kept) == QUOTA.drafts_kept
    assert {(one.code, one.reason) for one in lost} == {
        ("RESOURCE_EXHAUSTED", Reason.QUOTA_EXCEEDED)
    }
    assert lost[0].metadata == {"quota": "drafts_kept", "limit": str(QUOTA.drafts_kept)}

    # Drafts of others do not count; own drafts may be changed, and requests repeated.
    await articles.created("boris")
    await anna.UpdateArticle(change(kept[0], title="Changed"))
    done = requests[ends.index(kept[1])]
    assert await anna.CreateArticle(done) == kept[1]
    # What was refused can be done as it was asked once there is room.
    again = requests[ends.index(lost[0])]
    with refused(Reason.QUOTA_EXCEEDED):
        await anna.CreateArticle(again)
    await anna.DeleteArticle(deletion(kept[1].name))
    await anna.CreateArticle(again)


async def test_what_was_delivered_does_not_stand_in_the_way_of_new_drafts(
    articles: Harness,
) -> None:
    assignment = articles.assignments.add("a1", "anna")
    drafts = [
        await articles.created(title=f"{number}", assignment=assignment)
        for number in range(QUOTA.drafts_kept)
    ]
    with refused(Reason.QUOTA_EXCEEDED):
        await articles.created()
    (name,) = await articles.sealed(drafts[0])
    with refused(Reason.QUOTA_EXCEEDED):
        await articles.created()
    await articles.service.HoldArticleRevisions(
        pb.HoldArticleRevisionsRequest(
            names=[name], holder="assignments/a1/submissions/1", brand="brands/acme"
        )
    )
    await articles.created()


async def test_bytes_are_bounded_and_those_of_revisions_forgotten_after_a_month(
    articles: Harness,
) -> None:
    anna, assignment = articles.creator(), articles.assignments.add("a1", "anna")
    drafts = [
        await articles.created(title="Long", assignment=assignment, blocks=long()) for _ in range(3)
    ]
    names = await articles.sealed(*drafts)  # 60 of 64 MiB
    with refused(Reason.QUOTA_EXCEEDED) as caught:
        await articles.created(blocks=long())
    seconds = int(caught.value.metadata.pop("retry_after_seconds"))
    assert timedelta(days=29) < timedelta(seconds=seconds) <= timedelta(days=30)
    assert caught.value.metadata == {"quota": "article_bytes", "limit": str(QUOTA.article_bytes)}
    assert len((await anna.ListArticles(pb.ListArticlesRequest())).articles) == len(drafts)

    changed = await anna.UpdateArticle(change(drafts[0], blocks=long("y")))
    assert await articles.sealed(*drafts[1:]) == names[1:]  # they are there already
    with refused(Reason.QUOTA_EXCEEDED):
        await articles.sealed(changed)
    with refused(Reason.QUOTA_EXCEEDED):
        await anna.UpdateArticle(change(changed, blocks=long("y", MEBIBYTES_10 * 3 // 2)))
    # Nothing of what was refused is left.
    read = await anna.GetArticle(pb.GetArticleRequest(name=changed.name))
    assert read == changed
    await anna.UpdateArticle(change(changed, title="Short"))
    articles.media.passed += 31 * DAY
    await articles.created(blocks=long())


async def test_old_requests_are_forgotten_and_newer_ones_told_again(articles: Harness) -> None:
    anna, old, new = articles.creator(), creation(title="Old"), creation(title="New")
    await anna.CreateArticle(old)
    articles.media.passed += 20 * DAY
    kept = await anna.CreateArticle(new)
    assert await articles.handlers.sweep() == 0
    articles.media.passed += 11 * DAY
    assert await articles.handlers.sweep() == 1
    assert await articles.handlers.sweep() == 0
    assert await anna.CreateArticle(new) == kept
    # What it made is still made once.
    with refused(Reason.ETAG_MISMATCH):
        await anna.CreateArticle(old)
    assert len((await anna.ListArticles(pb.ListArticlesRequest())).articles) == 2


@pytest.mark.parametrize("size", [1, 2])
async def test_requests_are_forgotten_in_small_batches(articles: Harness, size: int) -> None:
    for _ in range(3):
        await articles.created()
    before = articles.media.now() + DAY
    assert await articles.drafts.delete_changes(before, size) == size
