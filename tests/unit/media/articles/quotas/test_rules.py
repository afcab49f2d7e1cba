"""What a creator may write: which quota is used up, and when it is free again."""

from datetime import UTC, datetime, timedelta

import pytest

from servicekit.errors import Reason, ResourceExhausted
from services.media.articles.quotas.rules import MONTH, ArticleQuota, Usage, check_quota

QUOTA = ArticleQuota(drafts_kept=3, article_bytes=1000)
NOW = datetime(2026, 3, 1, tzinfo=UTC)
BEGIN = NOW - MONTH + timedelta(hours=1)


def usage(drafts: int = 0, draft_bytes: int = 0, sealed_bytes: int = 0) -> Usage:
    return Usage(drafts, draft_bytes, sealed_bytes, BEGIN if sealed_bytes else None)


def refusal(before: Usage, after: Usage) -> dict[str, str]:
    with pytest.raises(ResourceExhausted) as caught:
        check_quota(QUOTA, before, after, NOW)
    assert caught.value.reason is Reason.QUOTA_EXCEEDED
    return caught.value.metadata


def test_all_of_a_quota_may_be_used() -> None:
    check_quota(QUOTA, usage(2, 900), usage(3, 1000), NOW)
    check_quota(QUOTA, usage(3, 500, 400), usage(3, 500, 500), NOW)


def test_a_draft_too_many_is_not_mended_by_time() -> None:
    assert refusal(usage(3), usage(4)) == {"quota": "drafts_kept", "limit": "3"}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (usage(1, 900), usage(2, 1001)),
        (usage(1, 400, 300), usage(1, 1001, 300)),
        (usage(1, 500), usage(1, 500, 501)),
    ],
    ids=["drafts alone", "drafts beside what is sealed", "the first that is sealed"],
)
def test_bytes_that_time_does_not_take_are_not_mended_by_it(before: Usage, after: Usage) -> None:
    assert refusal(before, after) == {"quota": "article_bytes", "limit": "1000"}


@pytest.mark.parametrize(
    ("before", "after"),
    [(usage(1, 400, 300), usage(1, 701, 300)), (usage(1, 500, 300), usage(1, 500, 501))],
    ids=["drafts", "sealed"],
)
def test_bytes_that_were_sealed_are_forgotten_after_a_month(before: Usage, after: Usage) -> None:
    assert refusal(before, after) == {
        "quota": "article_bytes",
        "limit": "1000",
        "retry_after_seconds": "3600",
    }


def test_who_is_beyond_a_quota_may_still_make_less_of_it() -> None:
    check_quota(QUOTA, usage(9, 5000, 100), usage(9, 4999, 100), NOW)
    check_quota(QUOTA, usage(9, 5000, 100), usage(9, 5000, 100), NOW)
    assert refusal(usage(9, 5000), usage(9, 5001))["quota"] == "article_bytes"
