"""What is open to a creator of a given level. Pure."""

from typing import Protocol

from servicekit.creator_levels import LEVELS

MINIMUM_VIDEO_LEVEL = "INTERMEDIATE"  # R87


class Levels(Protocol):
    """The creators service."""

    async def level(self, creator_id: str) -> str:
        """The level of an admitted creator now; empty for anyone else."""


def may_show_videos(level: str) -> bool:
    """Whether creators of this level may upload videos (R87); an empty level never may."""
    return level in LEVELS and LEVELS.index(level) >= LEVELS.index(MINIMUM_VIDEO_LEVEL)
