"""Metrics of publications: whether they are published within the times of R99 and R100."""

from collections.abc import Mapping
from datetime import datetime

from opentelemetry import metrics

from services.media.publications.domain import Channel, Publication

# Seconds; they include 5 minutes (R100) and 24 hours (R99).
_BOUNDARIES = [5, 15, 60, 120, 300, 900, 3600, 4 * 3600, 12 * 3600, 20 * 3600, 86_400, 2 * 86_400]

_METER = metrics.get_meter(__name__)
_DELAY = _METER.create_histogram(
    "media.publications.delay",
    unit="s",
    description="From approval or request until readers can see it, by channel",
    explicit_bucket_boundaries_advisory=_BOUNDARIES,
)
_OVERDUE = _METER.create_counter(
    "media.publications.overdue",
    unit="{publication}",
    description="Publications that were not published by their due time, by channel",
)
_PENDING = _METER.create_gauge(
    "media.publications.pending",
    unit="{publication}",
    description="Pending publications, by channel",
)
# Times instead of ages: they stay correct when checks fail, and their age grows.
_OLDEST = _METER.create_gauge(
    "media.publications.oldest_pending_time",
    unit="s",
    description="Unix time of the oldest pending publication's request, by channel; 0 without one",
)
_LAST_CHECK = _METER.create_gauge(
    "media.publications.last_check_time",
    unit="s",
    description="Unix time of the last successful check of pending publications",
)


def record_published(publication: Publication, now: datetime) -> None:
    delay = (now - publication.request_time).total_seconds()
    _DELAY.record(max(delay, 0.0), {"channel": publication.channel})


def record_overdue(publication: Publication) -> None:
    _OVERDUE.add(1, {"channel": publication.channel})


def record_pending(counts: Mapping[Channel, tuple[int, datetime]], now: datetime) -> None:
    """`counts` is the number of pending publications and the oldest request time, by channel."""
    for channel in Channel:
        # A counter that first appears with 1 shows no increase to Prometheus.
        _OVERDUE.add(0, {"channel": channel})
        count, since = counts.get(channel, (0, None))
        _PENDING.set(count, {"channel": channel})
        _OLDEST.set(since.timestamp() if since else 0.0, {"channel": channel})
    _LAST_CHECK.set(now.timestamp())
