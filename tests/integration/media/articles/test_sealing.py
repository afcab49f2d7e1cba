"""Sealing: what is delivered or published is valid, kept as it was, and shown to who may see it."""

import asyncio
from uuid import uuid4

import pytest
from liaison.media.v1 import articles_pb2 as pb
from liaison.media.v1 import media_pb2
from liaison.media.v1.media_pb2_grpc import MediaServiceStub

from servicekit.auth import Principal, Role
from servicekit.errors import LiaisonError, Reason
from servicekit.s3.objects import StoredObject
from tests.integration.media.articles.harness import (
    ADDRESS,
    COUPONS,
    ITEM,
    Harness,
    change,
    coupon,
    deletion,
    field_and_rule,
    image,
    product,
    sealing,
    stub,
    text,
)
from tests.integration.media.conftest import ACCEPTED
from tests.support.serving import refused

ABSENT_REVISION = "articles/00000000000000000000000000000000/revisions/0"
ANNA = Principal("accounts/anna", Role.CREATOR, creator="anna")


def reading(name: str) -> pb.GetArticleRevisionRequest:
    return pb.GetArticleRevisionRequest(name=name)


def holding(*names: str, brand: str = "brands/acme") -> pb.HoldArticleRevisionsRequest:
    return pb.HoldArticleRevisionsRequest(
        names=names, holder="assignments/a1/submissions/1", brand=brand
    )


async def written(articles: Harness, title: str = "Tea", **content: object) -> pb.Article:
    """For the assignment `a1`."""
    assignment = articles.assignments.add("a1", "anna", COUPONS)
    return await articles.created(title=title, assignment=assignment, **content)


async def test_a_revision_is_the_article_as_it_was_when_it_was_sealed(articles: Harness) -> None:
    anna = articles.creator()
    picture = await articles.picture()
    article = await written(
        articles, blocks=[text("Tea"), product(), image(picture), product(), coupon("123", "A1")]
    )
    (name,) = await articles.sealed(article)
    assert name.startswith(f"{article.name}/revisions/")
    revision = await anna.GetArticleRevision(reading(name))
    assert revision.name == name
    assert list(revision.article.blocks) == list(article.blocks)
    assert (revision.article.title, revision.article.assignment) == ("Tea", article.assignment)
    assert [(one.item_id, one.url) for one in revision.products] == [(ITEM, ADDRESS)]
    assert revision.products[0].title

    read = await anna.GetArticle(pb.GetArticleRequest(name=article.name))
    assert (read.latest_revision, read.etag) == (name, article.etag)
    changed = await anna.UpdateArticle(change(read, title="More tea"))
    assert changed.latest_revision == name
    assert await anna.GetArticleRevision(reading(name)) == revision
    (second,) = await articles.sealed(changed)
    assert second != name
    # Back to what it was: the same revision, from when it was first sealed.
    article.etag = changed.etag
    restored = await anna.UpdateArticle(change(article, title="Tea", blocks=list(article.blocks)))
    assert await articles.sealed(restored) == [name]
    assert await anna.GetArticleRevision(reading(name)) == revision


async def test_the_same_content_is_the_same_revision_however_many_seal_it(
    articles: Harness,
) -> None:
    one, two = await written(articles, "One"), await written(articles, "Two")
    sealed = await asyncio.gather(
        *(articles.sealed(*pair) for pair in [(one, two), (two, one)] * 4)
    )
    assert all(sorted(names) == sorted(sealed[0]) for names in sealed)
    assert [names[0].startswith(one.name) for names in sealed] == [True, False] * 4
    row = await articles.database.fetch_one("SELECT count(*) AS count FROM article_revision")
    assert row == {"count": 2}


async def test_nothing_is_sealed_unless_all_are_valid_and_all_violations_are_told(
    articles: Harness,
) -> None:
    good = await written(articles, "Good")
    other = articles.assignments.add("a2", "anna")
    elsewhere = await articles.created(title="Elsewhere", assignment=other)
    unassigned = await articles.created(title="x" * 61)
    bad = await written(articles, "x" * 61, blocks=[product("https://evil.example")])
    empty = await written(articles, "")
    request = sealing(good, elsewhere, unassigned, bad, empty)
    with refused(
        Reason.ARTICLE_INVALID,
        "submission.articles[1]",
        "submission.articles[2]",
        "submission.articles[2].title",
        "submission.articles[3].title",
        "submission.articles[3].blocks[0].product.url",
        "submission.articles[4]",
    ) as caught:
        await articles.service.SealArticles(request)
    assert caught.value.code == "FAILED_PRECONDITION"
    rules = [violation.rule for violation in caught.value.violations]
    assert rules == ["ASSIGNMENT", "ASSIGNMENT", "R72", "R72", "R81", "EMPTY"]
    read = await articles.creator().GetArticle(pb.GetArticleRequest(name=good.name))
    assert not read.latest_revision


async def test_only_the_creators_own_articles_are_sealed(articles: Harness) -> None:
    own = await written(articles)
    theirs = await articles.created(
        "boris", title="His", assignment=articles.assignments.add("b1", "boris")
    )
    for foreign in (theirs.name, "articles/unknown"):
        request = sealing(own)
        request.names.append(foreign)
        with refused(Reason.NOT_YOURS):
            await articles.service.SealArticles(request)
    request = sealing(own)
    request.names.append(own.name)
    with refused(Reason.INVALID_FIELDS, "names"):
        await articles.service.SealArticles(request)
    await articles.creator().DeleteArticle(deletion(own.name))
    with refused(Reason.NOT_YOURS):
        await articles.service.SealArticles(sealing(own))


async def test_a_revision_is_shown_to_its_creator_staff_services_and_brands_that_hold_it(
    articles: Harness,
) -> None:
    picture = await articles.picture()
    article = await written(articles, blocks=[image(picture)])
    (name,) = await articles.sealed(article)
    served = articles.served
    for reader in (
        articles.creator(),
        articles.operator,
        stub(served.as_mediator()),
        articles.service,
    ):
        assert (await reader.GetArticleRevision(reading(name))).name == name
    acme, others = articles.brand(), (articles.brand("other"), articles.creator("boris"))
    for stranger in (acme, *others):
        for one in (name, ABSENT_REVISION):
            with refused(Reason.NOT_YOURS):
                await stranger.GetArticleRevision(reading(one))
    for reader in (articles.operator, articles.service):
        with refused(Reason.NOT_FOUND):
            await reader.GetArticleRevision(reading(ABSENT_REVISION))

    for _ in range(2):
        await articles.service.HoldArticleRevisions(holding(name))
    assert (await acme.GetArticleRevision(reading(name))).article.title == "Tea"
    for stranger in others:
        with refused(Reason.NOT_YOURS):
            await stranger.GetArticleRevision(reading(name))
    # It sees what is in it, too, and only since it holds it.
    media = MediaServiceStub(served.as_brand("acme"))
    seen = await media.GetMediaObject(media_pb2.GetMediaObjectRequest(name=picture))
    assert seen.name == picture
    with refused(Reason.NOT_YOURS):
        await MediaServiceStub(served.as_brand("other")).GetMediaObject(
            media_pb2.GetMediaObjectRequest(name=picture)
        )
    with refused(Reason.NOT_FOUND):
        await articles.service.HoldArticleRevisions(holding(name, ABSENT_REVISION))


async def test_media_in_a_sealed_revision_stay_and_their_bytes_must_be_there(
    articles: Harness,
) -> None:
    picture, banner = await articles.picture(), await articles.picture(media_pb2.PURPOSE_BANNER)
    article = await written(articles, banner=banner, blocks=[image(picture), image(picture)])
    (name,) = await articles.sealed(article)
    rows = await articles.database.fetch_all(
        "SELECT media_object, brand_id FROM hold WHERE holder = %s", (name,)
    )
    held = {row["media_object"] for row in rows}
    assert held == {one.removeprefix("mediaObjects/") for one in (picture, banner)}
    assert {row["brand_id"] for row in rows} == {None}

    media = await articles.media.store.get(picture.removeprefix("mediaObjects/"))
    assert media is not None
    assert media.accepted is not None
    await articles.media.objects.remove(ACCEPTED, media.accepted.key)
    again = await written(articles, "Another", blocks=[image(picture)])
    with refused(Reason.MEDIA_NOT_ACCEPTED):
        await articles.sealed(again)


async def many_pictures(articles: Harness, count: int) -> list[str]:
    """The names of so many accepted images of anna's, all of the same bytes."""
    ids = [uuid4().hex for _ in range(count)]
    media = await articles.media.store.get((await articles.picture()).partition("/")[2])
    assert media is not None
    assert media.accepted is not None
    await articles.database.execute(
        """
        INSERT INTO media_object (id, owner, purpose, state, announced_size_bytes,
                                  announced_sha256, announced_content_type, rejections, size_bytes,
                                  sha256, content_type, width, height, create_time, expire_time,
                                  finish_time)
        SELECT each, owner, purpose, state, announced_size_bytes, announced_sha256,
               announced_content_type, rejections, size_bytes, sha256, content_type, width, height,
               create_time, expire_time, finish_time
          FROM media_object, unnest(%s::text[]) AS each WHERE id = %s
        """,
        (ids, media.id),
    )
    return [f"mediaObjects/{one}" for one in ids]


async def test_an_article_shows_200_uploads_at_most(articles: Harness) -> None:
    pictures = await many_pictures(articles, 201)
    enough = await written(articles, blocks=[*map(image, pictures[:200]), image(pictures[0])])
    assert (await articles.validated(enough)).is_valid
    article = await written(articles, "More", blocks=list(map(image, pictures)))
    found = field_and_rule((await articles.validated(article)).violations)
    assert found == [("article.blocks", "COUNT")]
    with refused(Reason.ARTICLE_INVALID, "submission.articles[0].blocks"):
        await articles.sealed(article)


async def test_storage_confirms_each_media_object_once_and_never_again(articles: Harness) -> None:
    """The largest submission that there is: holding it must take no time, since work that was
    submitted is held before its record is written."""
    pictures = await many_pictures(articles, 200)
    written_ones = [
        await written(articles, f"Tea {number}", blocks=list(map(image, pictures)))
        for number in range(20)
    ]
    asked: list[str] = []
    stat = articles.media.objects.stat

    async def counted(bucket: str, key: str) -> StoredObject | None:
        asked.append(key)
        return await stat(bucket, key)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(articles.media.objects, "stat", counted)
        revisions = await articles.sealed(*written_ones)
        assert len(asked) == 200
        for _ in range(2):
            await articles.service.HoldArticleRevisions(holding(*revisions))
        assert len(asked) == 200
    row = await articles.database.fetch_one(
        "SELECT count(*) AS count FROM hold WHERE brand_id = 'acme'"
    )
    assert row == {"count": 200}
    media = MediaServiceStub(articles.served.as_brand("acme"))
    seen = await media.GetMediaObject(media_pb2.GetMediaObjectRequest(name=pictures[-1]))
    assert seen.name == pictures[-1]


async def test_what_is_held_is_not_thrown_away(articles: Harness) -> None:
    anna = articles.creator()
    article = await written(articles)
    (name,) = await articles.sealed(article)
    await articles.service.HoldArticleRevisions(holding(name))
    changed = await anna.UpdateArticle(change(article, title="Later"))
    await articles.sealed(changed)
    with refused(Reason.ILLEGAL_STATE) as caught:
        await anna.DeleteArticle(deletion(article.name))
    assert caught.value.metadata == {"state": "IN_USE", "command": "DeleteArticle"}


async def test_what_was_sealed_for_nothing_is_thrown_away_and_its_revisions_stay(
    articles: Harness,
) -> None:
    anna = articles.creator()
    article = await written(articles)
    (name,) = await articles.sealed(article)
    revision = await anna.GetArticleRevision(reading(name))
    await anna.DeleteArticle(deletion(article.name))
    with refused(Reason.NOT_YOURS):
        await anna.GetArticle(pb.GetArticleRequest(name=article.name))
    # Who submits it at that very time has it sealed already.
    await articles.service.HoldArticleRevisions(holding(name))
    assert await articles.brand().GetArticleRevision(reading(name)) == revision


async def test_a_deletion_and_a_seal_at_once_leave_what_was_sealed(articles: Harness) -> None:
    for _ in range(5):
        article = await written(articles)
        sealed, deleted = await asyncio.gather(
            articles.sealed(article),
            articles.creator().DeleteArticle(deletion(article.name)),
            return_exceptions=True,
        )
        assert not isinstance(deleted, BaseException)
        if isinstance(sealed, list):
            await articles.service.HoldArticleRevisions(holding(*sealed))
            await articles.brand().GetArticleRevision(reading(sealed[0]))
        else:
            assert getattr(sealed, "reason", sealed) in (Reason.NOT_YOURS, Reason.ETAG_MISMATCH)


async def test_a_post_of_ones_own_is_sealed_to_be_published(articles: Harness) -> None:
    own = await articles.created(title="Tea")
    id_ = own.name.removeprefix("articles/")
    revision = await articles.revision_handlers.seal_own_post(ANNA, id_)
    assert (revision.article_id, revision.creator_id, revision.assignment_context) == (
        id_,
        "anna",
        None,
    )
    again = await articles.revision_handlers.seal_own_post(ANNA, id_)
    assert again.id == revision.id
    assert await articles.revisions.get(id_, revision.id) == revision  # as it was at first
    kept = await articles.drafts.get(id_)
    assert kept is not None
    assert kept.latest_revision_id == revision.id


@pytest.mark.parametrize(
    ("creator", "content", "reason"),
    [
        ("anna", {"title": "x" * 61}, Reason.ARTICLE_INVALID),
        ("anna", {"title": "Tea", "assignment": "assignments/a1"}, Reason.ILLEGAL_STATE),
        ("boris", {"title": "Tea"}, Reason.NOT_YOURS),
    ],
)
async def test_no_other_post_is(
    articles: Harness, creator: str, content: dict[str, str], reason: Reason
) -> None:
    articles.assignments.add("a1", "anna")
    article = await articles.created(creator, **content)
    with pytest.raises(LiaisonError) as caught:
        await articles.revision_handlers.seal_own_post(ANNA, article.name.removeprefix("articles/"))
    assert caught.value.reason is reason
    if reason is Reason.ARTICLE_INVALID:
        assert [one.field for one in caught.value.violations] == ["article.title"]


async def test_an_article_that_is_wrong_in_a_thousand_places_is_refused_for_its_reason(
    articles: Harness,
) -> None:
    article = await written(articles, blocks=[product("https://evil.example")] * 1000)
    with pytest.raises(LiaisonError) as caught:
        await articles.sealed(article)
    assert caught.value.reason is Reason.ARTICLE_INVALID
    listed = len(caught.value.violations)
    assert listed > 10
    assert caught.value.metadata == {"violations_left_out": str(1000 - listed)}
    # With room for all of them:
    assert len((await articles.validated(article)).violations) == 1000
