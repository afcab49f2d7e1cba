"""Image formats and sizes from headers."""

import pytest

from services.media.images.headers import Format, description_of, format_of, stored_size
from tests.unit.media.pictures import jpeg, png


def test_the_format_follows_from_content() -> None:
    assert format_of(jpeg()) is Format.JPEG
    assert format_of(png()) is Format.PNG
    assert format_of(b"not an image") is None
    assert format_of(b"") is None


def test_sizes_are_read_from_the_headers() -> None:
    assert stored_size(jpeg(801, 402), Format.JPEG) == (801, 402)
    assert stored_size(png(801, 402), Format.PNG) == (801, 402)


@pytest.mark.parametrize("length", [0, 2, 3, 4, 8, 12, 20])
def test_a_truncated_header_has_no_size(length: int) -> None:
    assert stored_size(jpeg()[:length], Format.JPEG) is None
    assert stored_size(png()[:length], Format.PNG) is None


def test_a_jpeg_of_markers_only_has_no_size() -> None:
    assert stored_size(b"\xff\xd8" + b"\xff" * 10_000, Format.JPEG) is None
    assert stored_size(b"\xff\xd8" + b"\xff\xe0\x00\x00" * 1000, Format.JPEG) is None


@pytest.mark.parametrize(
    ("content", "description"),
    [
        (b"GIF89a", "a GIF image"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "a WebP image"),
        (b"hello, I am image/png", "text"),
        (b"\x00\x01\x02", "no known kind of image"),
    ],
)
def test_other_content_is_described(content: bytes, description: str) -> None:
    assert description_of(content) == description
