"""Template filters that format times, durations, values and services."""

import json
from datetime import UTC, datetime

from devstack.trace_viewer.model import AttributeValue

COLOUR_COUNT = 12  # `.c0` to `.c11` of the style sheet

_UNITS = (("s", 1_000_000_000), ("ms", 1_000_000), ("µs", 1_000), ("ns", 1))
_NANOSECONDS_PER_SECOND = 1_000_000_000


def duration(nanoseconds: int) -> str:
    """Three significant digits below a minute (`1.23 ms`), whole parts above (`2 h 05 min`)."""
    seconds = nanoseconds // _NANOSECONDS_PER_SECOND
    if seconds >= 3600:
        return f"{seconds // 3600} h {seconds % 3600 // 60:02} min"
    if seconds >= 60:
        return f"{seconds // 60} min {seconds % 60:02} s"
    for unit, size in _UNITS:
        if nanoseconds >= size:
            amount = nanoseconds / size
            decimals = 0 if amount >= 100 or unit == "ns" else 1 if amount >= 10 else 2
            return f"{amount:.{decimals}f} {unit}"
    return "0"


def tick(nanoseconds: int) -> str:
    """Formats a tick, a round number, without trailing zeros."""
    if nanoseconds >= 60 * _NANOSECONDS_PER_SECOND:
        return duration(nanoseconds)
    for unit, size in _UNITS:
        if nanoseconds >= size:
            return f"{nanoseconds / size:g} {unit}"
    return "0"


def clock_time(nanoseconds: int) -> str:
    moment = datetime.fromtimestamp(nanoseconds / _NANOSECONDS_PER_SECOND, UTC)
    return f"{moment:%Y-%m-%d %H:%M:%S}.{moment.microsecond // 1000:03d}"


def attribute_value(value: AttributeValue) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def colour_class(rank: int) -> str:
    """A service keeps the colour of its first appearance for as long as the viewer runs."""
    return f"c{rank % COLOUR_COUNT}"
