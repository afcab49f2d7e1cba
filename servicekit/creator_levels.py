"""Contributor levels of creators, for every service that compares them. Pure."""

from enum import StrEnum


class CreatorLevel(StrEnum):
    """Lowest first. The same names as liaison.creators.v1.CreatorLevel, without its prefix."""

    NEWCOMER = "NEWCOMER"
    JUNIOR = "JUNIOR"
    INTERMEDIATE = "INTERMEDIATE"
    ADVANCED = "ADVANCED"
    EXPERT = "EXPERT"
    STAR = "STAR"


# The names of the levels, lowest first: a level's rank is its index.
LEVELS = tuple(level.value for level in CreatorLevel)
