"""Times as notices and the Temporal UI write them, always in UTC."""

from datetime import datetime


def to_the_minute(time: datetime) -> str:
    """Such as `2026-03-01 12:30 UTC`."""
    return f"{time:%Y-%m-%d %H:%M} UTC"


def to_the_second(time: datetime) -> str:
    """Such as `2026-03-01 12:30:15 UTC`."""
    return f"{time:%Y-%m-%d %H:%M:%S} UTC"
