"""Limits of images by purpose, and reasons to reject."""

import pytest

from services.media.domain import Announced, image_violations
from services.media.images.headers import Format
from services.media.images.messages import DecodeReport
from services.media.images.rules import (
    IMAGE_MAXIMUM_BYTES,
    Code,
    Limits,
    Purpose,
    limits_of,
    rejections,
)
from services.media.videos.rules import Client

BANNER = limits_of(Purpose.BANNER, IMAGE_MAXIMUM_BYTES)
IMAGE = limits_of(Purpose.IMAGE, IMAGE_MAXIMUM_BYTES)


def reasons(
    limits: Limits, width: int, height: int, problem: str = "", size_bytes: int = 1000
) -> list[tuple[str, str]]:
    report = DecodeReport(format=Format.JPEG, width=width, height=height, problem=problem)
    return [(found.code, found.rule_id) for found in rejections(limits, size_bytes, report)]


@pytest.mark.parametrize(("limits", "rule"), [(BANNER, "R69"), (IMAGE, "R82")])
def test_750_by_360_is_the_smallest_r69_r82(limits: Limits, rule: str) -> None:
    assert reasons(limits, 750, 360) == []
    assert reasons(limits, 749, 360) == [(Code.TOO_SMALL, rule)]
    assert reasons(limits, 750, 359) == [(Code.TOO_SMALL, rule)]
    assert reasons(limits, 360, 750) == [(Code.TOO_SMALL, rule)]


def test_an_image_that_scaling_makes_too_small_is_rejected_r84() -> None:
    assert reasons(IMAGE, 5000, 400) == [(Code.TOO_SMALL, "R84")]
    assert reasons(IMAGE, 5000, 900) == []
    assert reasons(IMAGE, 900, 5000) == [(Code.TOO_SMALL, "R84")]
    assert reasons(BANNER, 5000, 400) == []  # banners are not scaled


def test_more_than_50_megapixels_are_a_bomb_and_nothing_else() -> None:
    assert reasons(IMAGE, 10_000, 5_000) == []
    assert reasons(IMAGE, 50_001, 1_000) == [(Code.BOMB, "MAXIMUM_PIXELS")]


def test_every_reason_is_given_at_once() -> None:
    found = reasons(BANNER, 100, 100, "premature end", BANNER.maximum_bytes + 1)
    assert found == [
        (Code.TOO_LARGE_BYTES, "R68"),
        (Code.TOO_SMALL, "R69"),
        (Code.CORRUPT, "R67"),
    ]


def test_descriptions_say_what_was_found_and_how_to_correct_it() -> None:
    (found,) = rejections(BANNER, 1000, DecodeReport(format=Format.PNG, width=600, height=200))
    assert found.description == (
        "600×200 pixels as displayed; at least 750×360 are needed: use a larger image"
    )
    (found,) = rejections(BANNER, 1000, DecodeReport(found="text"))
    assert found.description == "The content is text; save the image as JPEG or PNG"


def announced(size_bytes: int) -> Announced:
    return Announced(size_bytes, "a" * 64, "image/png")


def test_a_banner_has_at_most_5_242_880_bytes_r68() -> None:
    assert image_violations(BANNER, announced(5_242_880)) == []
    (found,) = image_violations(BANNER, announced(5_242_881))
    assert (found.field, found.rule) == ("size_bytes", "R68")
    assert "5,242,881" in found.description


def test_every_violation_is_reported_r67() -> None:
    found = image_violations(IMAGE, Announced(-1, "A" * 64, "image/gif", Client.APP))
    assert [(violation.field, violation.rule) for violation in found] == [
        ("size_bytes", "RANGE"),
        ("sha256", "SHA-256"),
        ("content_type", "R67"),
        ("client", "VIDEO_ONLY"),
    ]
