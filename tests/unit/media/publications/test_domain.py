"""Publications and placements: their ids and times."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from services.media.articles.domain import Commission, RevisionHead
from services.media.publications.domain import (
    Channel,
    publication_of,
    window_violations,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def test_a_publication_is_one_an_article_and_channel_and_promised_within_a_day() -> None:
    revision = RevisionHead(
        article_id="a1", id="r1", creator_id="anna", commission=Commission("as1", "acme")
    )
    publication = publication_of(revision, Channel.VK, NOW, DAY)
    assert publication.name == "publications/a1-vk"
    assert (publication.brand_id, publication.assignment_id) == ("acme", "as1")
    assert publication.due_time - publication.request_time == DAY
    own = publication_of(replace(revision, commission=None), Channel.FEED, NOW, DAY)
    assert (own.brand_id, own.assignment_id, own.id) == ("", "", "a1-feed")


@pytest.mark.parametrize(
    ("start", "end", "rules"),
    [
        (NOW, NOW + 90 * DAY, []),
        (NOW - timedelta(seconds=30), NOW + DAY, []),
        (NOW, NOW + 90 * DAY + timedelta(seconds=1), ["RANGE"]),
        (NOW + DAY, NOW + DAY, ["ORDER"]),
        (NOW + DAY, NOW, ["ORDER"]),
        (NOW - DAY, NOW + DAY, ["PAST"]),
        (NOW - DAY, NOW - 2 * DAY, ["PAST", "ORDER"]),
    ],
)
def test_a_placement_lies_ahead_and_is_no_longer_than_90_days(
    start: datetime, end: datetime, rules: list[str]
) -> None:
    assert [one.rule for one in window_violations(start, end, NOW)] == rules
