"""Publications: their ids and due times."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from services.media.articles.domain import AssignmentContext, RevisionHead
from services.media.publications.domain import (
    Channel,
    publication_of,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def test_a_publication_is_identified_by_article_and_channel_and_due_within_the_window() -> None:
    revision = RevisionHead(
        article_id="a1",
        id="r1",
        creator_id="anna",
        assignment_context=AssignmentContext("as1", "acme"),
    )
    publication = publication_of(revision, Channel.VK, NOW, DAY)
    assert publication.name == "publications/a1-vk"
    assert (publication.brand_id, publication.assignment_id) == ("acme", "as1")
    assert publication.due_time - publication.request_time == DAY
    own = publication_of(replace(revision, assignment_context=None), Channel.FEED, NOW, DAY)
    assert (own.brand_id, own.assignment_id, own.id) == ("", "", "a1-feed")
