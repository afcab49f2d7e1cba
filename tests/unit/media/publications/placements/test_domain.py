"""Periods of placements."""

from datetime import UTC, datetime, timedelta

import pytest

from services.media.publications.placements.domain import period_violations

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


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
def test_a_placement_starts_in_the_future_and_lasts_at_most_90_days(
    start: datetime, end: datetime, rules: list[str]
) -> None:
    assert [one.rule for one in period_violations(start, end, NOW)] == rules
