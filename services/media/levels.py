"""Creators' levels, and what is open to them: pure."""

from typing import Protocol

# Lowest first; see liaison.creators.v1.CreatorLevel.
LEVELS = ("NEWCOMER", "JUNIOR", "INTERMEDIATE", "ADVANCED", "EXPERT", "STAR")
MINIMUM_VIDEO_LEVEL = "INTERMEDIATE"  # R87


class Levels(Protocol):
    """The creators service."""

    async def level(self, creator_id: str) -> str:
        """Of an admitted creator, now; empty for everybody else."""


def may_show_videos(level: str) -> bool:
    """Videos of one's own (R87); `level` is empty for who is not admitted."""
    return level in LEVELS and LEVELS.index(level) >= LEVELS.index(MINIMUM_VIDEO_LEVEL)
