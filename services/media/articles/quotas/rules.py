"""How much one creator may write: usage, limits and the check. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from servicekit.errors import Reason, ResourceExhausted

# Revisions are kept for good, since what was delivered must be; each counts for this long.
MONTH = timedelta(days=30)


@dataclass(frozen=True)
class ArticleQuota:
    """Limits for each creator."""

    drafts_kept: int
    article_bytes: int


@dataclass(frozen=True)
class Usage:
    """What one creator uses."""

    # Drafts of which nothing was delivered or published: those can be deleted.
    drafts_kept: int
    # Of all drafts, which can be shortened.
    draft_bytes: int
    # Sealed within the last month, and when the first of it was sealed.
    sealed_bytes: int
    month_begin_time: datetime | None

    @property
    def article_bytes(self) -> int:
        return self.draft_bytes + self.sealed_bytes


@dataclass(frozen=True)
class _QuotaUsage:
    """One quota before and after a change; `reset_time` is when usage falls by itself."""

    quota: str
    before: int
    after: int
    limit: int
    reset_time: datetime | None = None


def check_quota(quota: ArticleQuota, before: Usage, after: Usage, now: datetime) -> None:
    """Permits a change that leaves usage within `quota`, or does not increase it.

    Raises:
        ResourceExhausted: the change exceeds a quota.
    """
    for usage in _usages(quota, before, after):
        if usage.after > max(usage.before, usage.limit):
            metadata = {"quota": usage.quota, "limit": str(usage.limit)}
            if usage.reset_time is not None:
                seconds = -((now - usage.reset_time) // timedelta(seconds=1))  # rounded up
                metadata["retry_after_seconds"] = str(max(1, seconds))
            raise ResourceExhausted(
                Reason.QUOTA_EXCEEDED,
                f"At most {usage.limit:,} {usage.quota.replace('_', ' ')}",
                metadata=metadata,
            )


def _usages(quota: ArticleQuota, before: Usage, after: Usage) -> Iterator[_QuotaUsage]:
    yield _QuotaUsage("drafts_kept", before.drafts_kept, after.drafts_kept, quota.drafts_kept)
    # Only sealed bytes expire. Drafts count until they are shortened or deleted.
    fits_once_sealed_bytes_expire = after.article_bytes - before.sealed_bytes <= quota.article_bytes
    month_end_time = before.month_begin_time and before.month_begin_time + MONTH
    yield _QuotaUsage(
        "article_bytes",
        before.article_bytes,
        after.article_bytes,
        quota.article_bytes,
        month_end_time if fits_once_sealed_bytes_expire else None,
    )
