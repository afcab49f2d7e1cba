"""Contributor levels are those of the API, in its order."""

from liaison.creators.v1.creators_pb2 import CreatorLevel

from servicekit.creator_levels import LEVELS


def test_levels_are_those_of_the_api_in_the_same_order() -> None:
    names = [name.removeprefix("CREATOR_LEVEL_") for name in CreatorLevel.keys()]  # noqa: SIM118 - no mapping
    assert names == ["UNSPECIFIED", *LEVELS]
