"""Video containers and missing bytes from headers."""

import struct

import pytest

from services.media.videos.headers import (
    HEAD_BYTES,
    Container,
    container_of,
    description_of_file,
    missing_bytes,
)
from tests.unit.media.sample_videos import sample_video

EBML = b"\x1aE\xdf\xa3"


def box(name: bytes, content: bytes = b"") -> bytes:
    return struct.pack(">I4s", 8 + len(content), name) + content


def missing(container: Container, content: bytes, size_bytes: int) -> int:
    kept = content[:size_bytes]
    return missing_bytes(container, size_bytes, lambda at, length: kept[at : at + length])


@pytest.mark.parametrize(
    ("head", "container"),
    [
        (box(b"ftyp", b"isom"), Container.MP4),
        (box(b"ftyp", b"qt  "), Container.QUICKTIME),
        (box(b"moov"), Container.QUICKTIME),
        (box(b"mdat"), Container.QUICKTIME),
        (box(b"ftyp", b"heic"), None),
        (box(b"ftyp", b"avif"), None),
        (EBML + b"\x87\x42\x82\x84webm", Container.WEBM),
        (EBML + b"\x8b\x42\x82\x88matroska", Container.MATROSKA),
        # Other elements before it, a size of several bytes, and padding.
        (EBML + b"\x40\x0f\x42\x86\x81\x01\x42\x82\x40\x06webm\0\0", Container.WEBM),
        (EBML + b"\x87\x42\x82\x84mkv!", None),
        (EBML, None),
        (EBML + b"\xff" * 20, None),
        (b"", None),
    ],
)
def test_the_container_follows_from_content(head: bytes, container: Container | None) -> None:
    assert container_of(head) is container


@pytest.mark.parametrize(
    ("head", "description"),
    [
        (b"RIFF\0\0\0\0AVI LIST", "an AVI video"),
        (b"G" + bytes(187) + b"G" + bytes(187), "an MPEG transport stream"),
        (b"FLV\x01", "a Flash video"),
        (box(b"ftyp", b"avif"), "an AVIF image"),
        (b"\xff\xd8\xff\xe0", "a JPEG image"),
        (bytes(400), "no known kind of video"),
        (EBML, "a Matroska file of an unknown kind"),
    ],
)
def test_other_files_are_described(head: bytes, description: str) -> None:
    assert description_of_file(head) == description


@pytest.mark.parametrize("form", ["mp4", "mov", "webm", "matroska"])
def test_missing_bytes_are_those_cut_off(form: str) -> None:
    content = sample_video(form, "libvpx" if form == "webm" else "libx264", seconds=1)
    container = container_of(content[:HEAD_BYTES])
    assert container is not None
    assert missing(container, content, len(content)) == 0
    assert missing(container, content, len(content) - 100) == 100


def test_boxes_of_every_kind_of_length_are_followed() -> None:
    large = struct.pack(">I4sQ", 1, b"mdat", 16 + 100) + bytes(100)
    content = box(b"ftyp", b"isom") + large + box(b"moov", bytes(20))
    assert missing(Container.MP4, content, len(content)) == 0
    assert missing(Container.MP4, content, len(content) - 28) == 0  # a box less
    assert missing(Container.MP4, content, len(content) - 30) == 2
    # To the end of the file; and no box at all.
    for rest in (
        struct.pack(">I4s", 0, b"mdat") + bytes(9),
        b"\0\0\0\x04free",
        b"garbage garbage!",
    ):
        assert missing(Container.MP4, content + rest, len(content + rest)) == 0


def test_a_segment_of_unknown_size_misses_nothing() -> None:
    head = EBML + b"\x87\x42\x82\x84webm" + b"\x18S\x80g\x01\xff\xff\xff\xff\xff\xff\xff"
    assert missing(Container.WEBM, head, len(head)) == 0
