"""Who may read, list and command publications."""

from datetime import timedelta
from typing import Any

import pytest
from liaison.media.v1 import publications_pb2 as pb

from servicekit.errors import LiaisonError, Reason
from tests.integration.media.publications.harness import (
    Harness,
    approval,
    withdrawal,
)
from tests.support.serving import refused

PENDING, PUBLISHED, WITHDRAWN = (
    pb.Publication.STATE_PENDING,
    pb.Publication.STATE_PUBLISHED,
    pb.Publication.STATE_WITHDRAWN,
)


async def test_who_may_see_a_publication(publications: Harness) -> None:
    publication = await publications.approved()
    request = pb.GetPublicationRequest(name=publication.name)
    for reader in (
        publications.creator(),
        publications.brand(),
        publications.operator,
        publications.platform,
        publications.worker,
    ):
        assert await reader.GetPublication(request) == publication
    for stranger in (publications.creator("eve"), publications.brand("evil")):
        for name in (publication.name, "publications/none"):
            with refused(Reason.NOT_YOURS):
                await stranger.GetPublication(pb.GetPublicationRequest(name=name))
    own = await publications.posted("bea")
    with refused(Reason.NOT_YOURS):
        await publications.brand().GetPublication(pb.GetPublicationRequest(name=own.name))
    with refused(Reason.NOT_FOUND):
        await publications.platform.GetPublication(
            pb.GetPublicationRequest(name="publications/none")
        )


async def test_publications_are_listed_to_their_parties(publications: Harness) -> None:
    names = []
    for creator in ("anna", "bea", "anna"):
        publications.media.passed += timedelta(seconds=1)
        names.append((await publications.posted(creator)).name)
    publications.media.passed += timedelta(seconds=1)
    names.append((await publications.approved()).name)
    first, second, third, fourth = names

    async def listed(stub: Any, **values: Any) -> list[str]:
        answer = await stub.ListPublications(pb.ListPublicationsRequest(**values))
        return [one.name for one in answer.publications]

    assert await listed(publications.operator) == [fourth, third, second, first]
    assert await listed(publications.platform, creator="creators/bea") == [second]
    assert await listed(publications.creator()) == [fourth, third, first]
    assert await listed(publications.creator("eve")) == []
    assert await listed(publications.brand()) == await listed(
        publications.operator, brand="brands/acme"
    )
    assert await listed(publications.brand()) == [fourth]
    article = second.removeprefix("publications/").removesuffix("-feed")
    assert await listed(publications.operator, article=f"articles/{article}") == [second]
    assert await listed(publications.creator(), article=f"articles/{article}") == []
    assert await listed(publications.operator, state=PUBLISHED) == []
    with refused(Reason.NOT_YOURS):
        await listed(publications.creator(), creator="creators/bea")
    with refused(Reason.NOT_YOURS):
        await listed(publications.brand(), brand="brands/evil")

    page = await publications.operator.ListPublications(pb.ListPublicationsRequest(page_size=3))
    rest = await publications.operator.ListPublications(
        pb.ListPublicationsRequest(page_size=3, page_token=page.next_page_token)
    )
    assert [one.name for one in [*page.publications, *rest.publications]] == names[::-1]
    with refused(Reason.INVALID_FIELDS, "page_token"):
        await listed(publications.creator(), page_token=page.next_page_token)


async def test_each_method_is_for_its_roles_only(publications: Harness) -> None:
    publication = await publications.posted()
    calls: list[tuple[Any, str, Any]] = [
        (publications.brand(), "PublishArticle", pb.PublishArticleRequest(name="articles/a1")),
        (publications.creator(), "WithdrawPublication", withdrawal(publication)),
        (publications.operator, "DeliverPublication", pb.DeliverPublicationRequest(name="x")),
        (
            publications.creator(),
            "MarkPublicationOverdue",
            pb.MarkPublicationOverdueRequest(name="x"),
        ),
        (publications.brand(), "PublishApprovedArticles", approval("x", time=publications.now())),
        (publications.operator, "RepostArticle", pb.RepostArticleRequest(name=publication.name)),
    ]
    for stub, method, request in calls:
        with pytest.raises(LiaisonError) as caught:
            await getattr(stub, method)(request)
        assert caught.value.reason is Reason.ROLE_NOT_ALLOWED
