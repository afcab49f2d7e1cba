"""Quotas of uploads: which one is exceeded, and when it resets."""

from datetime import UTC, datetime, timedelta

import pytest

from servicekit.errors import Reason, ResourceExhausted
from services.media.uploads.quotas import Quota, Usage, enforce

NOW = datetime(2027, 3, 1, 12, tzinfo=UTC)
QUOTA = Quota(open_uploads=3, uploads_an_hour=10, bytes_a_month=1000)


def usage(open_uploads: int = 0, uploads_an_hour: int = 0, bytes_a_month: int = 0) -> Usage:
    return Usage(
        open_uploads,
        NOW + timedelta(hours=2) if open_uploads else None,
        uploads_an_hour,
        NOW - timedelta(minutes=59, milliseconds=500) if uploads_an_hour else None,
        bytes_a_month,
        NOW + timedelta(days=3) if bytes_a_month else None,
    )


def refusal(used: Usage, size_bytes: int = 1) -> dict[str, str]:
    with pytest.raises(ResourceExhausted) as caught:
        enforce(QUOTA, used, size_bytes, NOW)
    assert caught.value.reason is Reason.QUOTA_EXCEEDED
    return caught.value.metadata


def test_usage_may_reach_the_quota() -> None:
    enforce(QUOTA, usage(2, 9, 999), 1, NOW)


def test_open_uploads_reset_at_the_next_expiry() -> None:
    assert refusal(usage(open_uploads=3)) == {
        "quota": "open_uploads",
        "limit": "3",
        "retry_after_seconds": "7200",
    }


def test_uploads_an_hour_reset_after_an_hour() -> None:
    assert refusal(usage(uploads_an_hour=10)) == {
        "quota": "uploads_an_hour",
        "limit": "10",
        "retry_after_seconds": "60",  # 59.5, rounded up: an earlier try would be refused again
    }


def test_bytes_a_month_reset_when_enough_have_ended() -> None:
    assert refusal(usage(bytes_a_month=900), 101) == {
        "quota": "bytes_a_month",
        "limit": "1000",
        "retry_after_seconds": "259200",
    }


def test_an_upload_larger_than_the_quota_never_fits() -> None:
    never = {"quota": "bytes_a_month", "limit": "1000"}
    assert refusal(usage(), 1001) == never
    assert refusal(usage(3, 10, 900), 1001) == never


def test_of_several_quotas_the_one_that_resets_last_is_reported() -> None:
    assert refusal(usage(3, 10))["quota"] == "open_uploads"
    assert refusal(usage(3, 10, 1000))["quota"] == "bytes_a_month"
