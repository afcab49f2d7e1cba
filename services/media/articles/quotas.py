"""How much one creator may write: what is used, and what is used up. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from servicekit.errors import Reason, ResourceExhausted

# Revisions stay for good, as what was delivered must; each counts for so long.
MONTH = timedelta(days=30)


@dataclass(frozen=True)
class Quota:
    """Of each creator."""

    drafts_kept: int
    article_bytes: int


@dataclass(frozen=True)
class Usage:
    """What one creator uses."""

    # Of which nothing was delivered or published: those can be thrown away.
    drafts_kept: int
    # Of all drafts, which can be shortened.
    draft_bytes: int
    # Sealed within a month, and when the first of it was.
    sealed_bytes: int
    month_begin_time: datetime | None

    @property
    def article_bytes(self) -> int:
        return self.draft_bytes + self.sealed_bytes


@dataclass(frozen=True)
class _Share:
    """One of the quotas: how much of it there was, is, and may be, and when it becomes less by
    itself."""

    quota: str
    before: int
    after: int
    limit: int
    mend_time: datetime | None = None


def check(quota: Quota, before: Usage, after: Usage, now: datetime) -> None:
    """Whether what was written, which made `after` of `before`, is within `quota`. What makes
    nothing more is, however much there is.

    Raises:
        ResourceExhausted: it is not.
    """
    for share in _shares(quota, before, after):
        if share.after > max(share.before, share.limit):
            metadata = {"quota": share.quota, "limit": str(share.limit)}
            if share.mend_time is not None:
                seconds = -((now - share.mend_time) // timedelta(seconds=1))  # rounded up
                metadata["retry_after_seconds"] = str(max(1, seconds))
            raise ResourceExhausted(
                Reason.QUOTA_EXCEEDED,
                f"At most {share.limit:,} {share.quota.replace('_', ' ')}",
                metadata=metadata,
            )


def _shares(quota: Quota, before: Usage, after: Usage) -> Iterator[_Share]:
    yield _Share("drafts_kept", before.drafts_kept, after.drafts_kept, quota.drafts_kept)
    # Time takes what was sealed already, but no drafts: those are shortened or thrown away.
    is_mended = after.article_bytes - before.sealed_bytes <= quota.article_bytes
    month_end_time = before.month_begin_time and before.month_begin_time + MONTH
    yield _Share(
        "article_bytes",
        before.article_bytes,
        after.article_bytes,
        quota.article_bytes,
        month_end_time if is_mended else None,
    )
