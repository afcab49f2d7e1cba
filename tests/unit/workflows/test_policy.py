"""Lengths of time: calendar months, clamped, and days of 24 hours in UTC."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflows.policy import ACCELERATED, POLICIES, STANDARD, Span

HOURS_EAST = timezone(timedelta(hours=8))


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("start", "months", "expected"),
    [
        ("2026-01-31T10:00", 1, "2026-02-28T10:00"),
        ("2028-01-31T10:00", 1, "2028-02-29T10:00"),  # a leap year
        ("2100-01-31T10:00", 1, "2100-02-28T10:00"),  # none, though divisible by 4
        ("2028-02-29T10:00", 12, "2029-02-28T10:00"),
        ("2026-03-31T23:59:59", 1, "2026-04-30T23:59:59"),
        ("2026-12-31T00:00", 1, "2027-01-31T00:00"),
        ("2026-12-31T00:00", 2, "2027-02-28T00:00"),
        ("2026-11-30T00:00", 3, "2027-02-28T00:00"),
        ("2026-02-28T00:00", 1, "2026-03-28T00:00"),  # the 28th stays the 28th
        ("2026-05-15T00:00", 0, "2026-05-15T00:00"),
        ("2026-05-15T00:00", 24, "2028-05-15T00:00"),
    ],
)
def test_a_month_is_the_same_day_clamped(start: str, months: int, expected: str) -> None:
    assert Span(months=months).after(_time(start)) == _time(expected)


def test_months_come_before_seconds() -> None:
    span = Span(months=1, seconds=86_400.0)
    assert span.after(_time("2026-01-31T10:00")) == _time("2026-03-01T10:00")


def test_a_month_is_counted_in_utc() -> None:
    # The 1st in the east is still the 31st in UTC.
    start = datetime(2026, 2, 1, 2, tzinfo=HOURS_EAST)
    assert Span(months=1).after(start) == _time("2026-02-28T18:00")


@given(
    st.integers(0, 6_000_000_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC)),
    st.integers(0, 120),
)
def test_months_move_the_month_by_exactly_so_many(start: datetime, months: int) -> None:
    moved = Span(months=months).after(start)
    assert (moved.year - start.year) * 12 + moved.month - start.month == months
    assert moved.day <= start.day
    assert moved.timetz() == start.timetz()
    # Only the end of a month clamps.
    if moved.day < start.day:
        assert (moved + timedelta(days=1)).day == 1


def test_the_standard_policy_keeps_the_promises() -> None:
    day = 86_400.0
    assert Span(seconds=5 * day) == STANDARD.review_window  # R27
    assert STANDARD.max_revision_rounds == 2  # R28
    assert Span(seconds=5 * day) == STANDARD.reward_window  # R29
    assert STANDARD.completion_window == STANDARD.dispute_window == Span(months=1)  # R53
    assert STANDARD.dispute_resolution_window == Span(months=1)  # R52
    assert Span(seconds=3 * day) == STANDARD.selection_window


@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
def test_reminders_come_in_order_and_before_the_end(policy: object) -> None:
    reminders = policy.review_reminders_seconds  # type: ignore[attr-defined]  # a Policy
    assert reminders == sorted(set(reminders))
    assert reminders[-1] < policy.review_window.seconds  # type: ignore[attr-defined]  # a Policy


def test_an_accelerated_day_keeps_the_proportions() -> None:
    ratio = STANDARD.review_window.seconds / ACCELERATED.review_window.seconds
    assert STANDARD.reward_window.seconds / ACCELERATED.reward_window.seconds == ratio
    assert [ratio * seconds for seconds in ACCELERATED.review_reminders_seconds] == pytest.approx(
        STANDARD.review_reminders_seconds
    )
