"""Settings of publications, from the environment."""

import pytest
from pydantic import ValidationError

from services.media.settings import PublicationSettings


def settings(monkeypatch: pytest.MonkeyPatch, **environment: str) -> PublicationSettings:
    for name, value in environment.items():
        monkeypatch.setenv(f"LIAISON_MEDIA_{name}", value)
    return PublicationSettings()


def test_by_default_nobody_reposts_and_the_window_is_a_day(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = settings(monkeypatch)
    assert found.media_repost_levels == []
    assert found.media_publication_window.days == 1
    assert found.media_placement_slots == ["home-top", "inspiration-top", "instagram"]


def test_lists_are_comma_separated(monkeypatch: pytest.MonkeyPatch) -> None:
    found = settings(
        monkeypatch,
        REPOST_LEVELS="EXPERT, STAR",
        REPOST_URL="https://social.example/",
        PLACEMENT_SLOTS="home-top,",
    )
    assert found.media_repost_levels == ["EXPERT", "STAR"]
    assert found.media_placement_slots == ["home-top"]


@pytest.mark.parametrize(
    "environment",
    [
        {"REPOST_LEVELS": "STAR"},
        {"REPOST_LEVELS": "BEST", "REPOST_URL": "https://social.example"},
        {"PUBLICATION_WINDOW_SECONDS": "0"},
    ],
)
def test_inconsistent_settings_are_refused_at_start(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]
) -> None:
    with pytest.raises(ValidationError):
        settings(monkeypatch, **environment)
