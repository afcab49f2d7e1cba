"""Quotas of uploads for each creator. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from servicekit.errors import Reason, ResourceExhausted

HOUR = timedelta(hours=1)
MONTH = timedelta(days=30)


@dataclass(frozen=True)
class Quota:
    """Limits for each creator."""

    open_uploads: int
    uploads_an_hour: int
    bytes_a_month: int


@dataclass(frozen=True)
class Usage:
    """What one creator uses, before one more upload. Open uploads are not finished nor expired."""

    open_uploads: int
    # When the first open upload expires.
    next_expire_time: datetime | None
    uploads_an_hour: int
    # When the first upload within the last hour was created.
    hour_begin_time: datetime | None
    # Of uploads created within the last 30 days: bytes of accepted objects, without renditions, and
    # announced bytes of open uploads.
    bytes_a_month: int
    # When enough of them have ended for the one more to fit.
    bytes_end_time: datetime | None


@dataclass(frozen=True)
class _Share:
    """One quota: what would be used of it, and when the use decreases by itself."""

    quota: str
    wanted: int
    limit: int
    reset_time: datetime | None = None


def enforce(quota: Quota, usage: Usage, size_bytes: int, now: datetime) -> None:
    """Requires that one more upload of `size_bytes` is within `quota`.

    Raises:
        ResourceExhausted: it is not. Of several quotas, the error names one that never resets if
            there is one, else the one that resets last.
    """
    used_up = [share for share in _shares(quota, usage, size_bytes) if share.wanted > share.limit]
    if not used_up:
        return
    worst = max(used_up, key=lambda share: (share.reset_time is None, share.reset_time or now))
    metadata = {"quota": worst.quota, "limit": str(worst.limit)}
    if worst.reset_time is not None:
        seconds = -((now - worst.reset_time) // timedelta(seconds=1))  # rounded up
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
        # More than the whole quota never fits.
        usage.bytes_end_time if size_bytes <= quota.bytes_a_month else None,
    )
