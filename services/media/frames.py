"""What decoders, probers and their pools say: a frame is two lengths, a JSON head and bytes.

Kept apart, so that the processes that strangers' bytes reach import next to nothing.
"""

import json
import struct
from dataclasses import asdict, dataclass
from typing import BinaryIO

from services.media.headers import Format

LENGTHS = struct.Struct(">II")
# A report is short; a longer one does not come from a decoder in its right mind.
MAXIMUM_HEAD_BYTES = 4096
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

    def to_json(self) -> bytes:
        return json.dumps(asdict(self)).encode()

    @classmethod
    def from_json(cls, head: bytes) -> "Order":
        return cls(**json.loads(head))


@dataclass
class Report:
    """What the decoder found. Sizes are as displayed, after EXIF orientation."""

    format: Format | None = None
    found: str = ""  # what it seems to be when it is in no accepted format
    width: int = 0
    height: int = 0
    problem: str = ""  # why there is no clean copy
    content_type: str = ""
    clean_bytes: int = 0
    clean_width: int = 0
    clean_height: int = 0

    def to_json(self) -> bytes:
        return json.dumps(asdict(self)).encode()

    @classmethod
    def from_json(cls, head: bytes) -> "Report":
        values = json.loads(head)
        kind = values.pop("format")
        return cls(Format(kind) if kind else None, **values)


def frame(head: bytes, content: bytes) -> bytes:
    return LENGTHS.pack(len(head), len(content)) + head + content


def write_frame(stream: BinaryIO, head: bytes, content: bytes) -> None:
    stream.write(frame(head, content))
    stream.flush()


def read_frame(stream: BinaryIO) -> tuple[bytes, bytes] | None:
    """None at the end of the stream."""
    lengths = stream.read(LENGTHS.size)
    if len(lengths) < LENGTHS.size:
        return None
    head_length, content_length = LENGTHS.unpack(lengths)
    return stream.read(head_length), stream.read(content_length)
