"""How much one creator may upload: what is used, and what is used up. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from servicekit.errors import Reason, ResourceExhausted

HOUR = timedelta(hours=1)
MONTH = timedelta(days=30)


@dataclass(frozen=True)
class Quota:
    """Of each creator."""

    open_uploads: int
    uploads_an_hour: int
    bytes_a_month: int


@dataclass(frozen=True)
class Usage:
    """What one creator uses when one more upload is announced. Open are those that are neither
    finished nor expired."""

    open_uploads: int
    # When the first of them expires.
    next_expire_time: datetime | None
    uploads_an_hour: int
    # When the first of the last hour was announced.
    hour_begin_time: datetime | None
    # Of what was announced within the month: accepted, or open, which may all be accepted.
    # Renditions are not counted.
    bytes_a_month: int
    # When so few of them are left that there is room for the one more.
    bytes_end_time: datetime | None


@dataclass(frozen=True)
class _Share:
    """One of the quotas: how much of it there would be, and when it becomes less by itself."""

    quota: str
    wanted: int
    limit: int
    mend_time: datetime | None = None


def check(quota: Quota, usage: Usage, size_bytes: int, now: datetime) -> None:
    """Whether one more upload, of `size_bytes`, is within `quota`.

    Raises:
        ResourceExhausted: it is not. Of several quotas, the one that time does not mend is told
            first, then the one that takes longest.
    """
    used_up = [share for share in _shares(quota, usage, size_bytes) if share.wanted > share.limit]
    if not used_up:
        return
    worst = max(used_up, key=lambda share: (share.mend_time is None, share.mend_time or now))
    metadata = {"quota": worst.quota, "limit": str(worst.limit)}
    if worst.mend_time is not None:
        seconds = -((now - worst.mend_time) // timedelta(seconds=1))  # rounded up
        metadata["retry_after_seconds"] = str(max(1, seconds))
    words = worst.quota.replace("_", " ")
    raise ResourceExhausted(
        Reason.QUOTA_EXCEEDED, f"At most {worst.limit:,} {words}", metadata=metadata
    )


def _shares(quota: Quota, usage: Usage, size_bytes: int) -> Iterator[_Share]:
    yield _Share("open_uploads", usage.open_uploads + 1, quota.open_uploads, usage.next_expire_time)
    hour_end_time = usage.hour_begin_time and usage.hour_begin_time + HOUR
    yield _Share("uploads_an_hour", usage.uploads_an_hour + 1, quota.uploads_an_hour, hour_end_time)
    yield _Share(
        "bytes_a_month",
        usage.bytes_a_month + size_bytes,
        quota.bytes_a_month,
        # More than the quota at once will never do.
        usage.bytes_end_time if size_bytes <= quota.bytes_a_month else None,
    )
