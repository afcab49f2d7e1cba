"""What decoders, probers and their pools say: a frame is two lengths, a JSON head and bytes.

Kept apart, so that the processes that strangers' bytes reach import next to nothing.
"""

import json
import struct
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import BinaryIO

from services.media.images.headers import Format

LENGTHS = struct.Struct(">II")
# A report is short; a longer one does not come from a decoder in its right mind.
MAXIMUM_HEAD_BYTES = 4096
# What a pipe holds: as much as Linux lets anybody have (/proc/sys/fs/pipe-max-size).
PIPE_BYTES = 1024 * 1024
# What decoding may use up.
MEMORY, PROCESSOR_TIME = "memory", "processor time"
# What a process says first, once it is confined.
READY = b"{}"


@dataclass(frozen=True)
class Order:
    """What is asked of the decoder for one image."""

    maximum_pixels: int
    # The longer side of the clean copy is at most this; None leaves it as it is.
    fit_within: int | None
    # Of the clean copy; the decoder tries to stay below.
    maximum_bytes: int
    # Longer sides of the smaller copies to make, largest first.
    renditions: tuple[int, ...] = ()
    # Nothing is decoded: for the beginning of a file that is too long.
    is_header_only: bool = False

    def to_json(self) -> bytes:
        return json.dumps(asdict(self)).encode()

    @classmethod
    def from_json(cls, head: bytes) -> "Order":
        values = json.loads(head)
        return cls(**values | {"renditions": tuple(values["renditions"])})


@dataclass(frozen=True)
class Copy:
    """One encoded copy. `fit_within` is that of the order's rendition; 0 for the clean copy."""

    fit_within: int
    format: Format
    size_bytes: int
    width: int
    height: int


@dataclass
class Report:
    """What the decoder found. Sizes are as displayed, after EXIF orientation."""

    format: Format | None = None
    found: str = ""  # what it seems to be when it is in no accepted format
    width: int = 0
    height: int = 0
    problem: str = ""  # why there is no clean copy
    exhausted: str = ""  # the same, where decoding takes more of this than is allowed
    # Of 64 bits; None for a picture with too little in it to be told from others.
    dhash: int | None = None
    # The clean copy, then the renditions smaller than it; their bytes follow in this order.
    copies: list[Copy] = field(default_factory=list)

    @property
    def clean_bytes(self) -> int:
        return self.copies[0].size_bytes if self.copies else 0

    def to_json(self) -> bytes:
        return json.dumps(asdict(self)).encode()


def frame(head: bytes, content_length: int) -> bytes:
    """What comes before the content."""
    return LENGTHS.pack(len(head), content_length) + head


def write_frame(stream: BinaryIO, head: bytes, contents: Sequence[bytes]) -> None:
    stream.write(frame(head, sum(map(len, contents))))
    for content in contents:
        stream.write(content)
    stream.flush()


def read_frame(stream: BinaryIO) -> tuple[bytes, bytes] | None:
    """None at the end of the stream."""
    lengths = stream.read(LENGTHS.size)
    if len(lengths) < LENGTHS.size:
        return None
    head_length, content_length = LENGTHS.unpack(lengths)
    return stream.read(head_length), stream.read(content_length)
