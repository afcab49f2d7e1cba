"""What is measured of publications: whether the promises of R99 and R100 are kept."""

from collections.abc import Mapping
from datetime import datetime

from opentelemetry import metrics

from services.media.publications.domain import Channel, Publication

# Seconds, among them those that the rules name: 5 minutes (R100) and 24 hours (R99).
_BOUNDARIES = [5, 15, 60, 120, 300, 900, 3600, 4 * 3600, 12 * 3600, 20 * 3600, 86_400, 2 * 86_400]

_METER = metrics.get_meter(__name__)
_DELAY = _METER.create_histogram(
    "media.publications.delay",
    unit="s",
    description="From approval or request until readers see it, by channel",
    explicit_bucket_boundaries_advisory=_BOUNDARIES,
)
_OVERDUE = _METER.create_counter(
    "media.publications.overdue",
    unit="{publication}",
    description="Publications that were not there within the promised time",
)
_PENDING = _METER.create_gauge(
    "media.publications.pending",
    unit="{publication}",
    description="Publications on their way, by channel",
)
# Times, not ages: they stay true, and grow old, where nobody can look any more.
_OLDEST = _METER.create_gauge(
    "media.publications.oldest_pending_time",
    unit="s",
    description="Unix time since when the oldest publication on its way waits, by channel; 0 when"
    " there is none",
)
_LOOK = _METER.create_gauge(
    "media.publications.look_time",
    unit="s",
    description="Unix time when it was last seen what is on its way",
)


def published(publication: Publication, now: datetime) -> None:
    delay = (now - publication.request_time).total_seconds()
    _DELAY.record(max(delay, 0.0), {"channel": publication.channel})


def late(publication: Publication) -> None:
    _OVERDUE.add(1, {"channel": publication.channel})


def on_their_way(counts: Mapping[Channel, tuple[int, datetime]], now: datetime) -> None:
    """How many there are, and since when the oldest of them waits."""
    for channel in Channel:
        # Else its first increase would be its first sample, which shows no increase.
        _OVERDUE.add(0, {"channel": channel})
        count, since = counts.get(channel, (0, None))
        _PENDING.set(count, {"channel": channel})
        _OLDEST.set(since.timestamp() if since else 0.0, {"channel": channel})
    _LOOK.set(now.timestamp())
