"""The framing between worker processes and their pools: two lengths, a JSON head, and content.

It imports the standard library only, since it runs in processes that read untrusted bytes. What the
heads say is in `services.media.images.messages` and `services.media.videos.messages`.
"""

import struct
from collections.abc import Sequence
from typing import BinaryIO

LENGTHS = struct.Struct(">II")
# Heads are short: a longer one comes from a worker that was taken over.
MAXIMUM_HEAD_BYTES = 4096
# Capacity of a pipe: the most that Linux grants any user (/proc/sys/fs/pipe-max-size).
PIPE_BYTES = 1024 * 1024
# The head of the first frame of a process, which it sends once it is confined.
READY = b"{}"


def frame(head: bytes, content_length: int) -> bytes:
    """The beginning of a frame, up to its content."""
    return LENGTHS.pack(len(head), content_length) + head


def write_frame(stream: BinaryIO, head: bytes, contents: Sequence[bytes]) -> None:
    """Writes one frame whose content is `contents`, joined."""
    stream.write(frame(head, sum(map(len, contents))))
    for content in contents:
        stream.write(content)
    stream.flush()


def read_frame(stream: BinaryIO) -> tuple[bytes, bytes] | None:
    """Head and content of the next frame; None at the end of the stream."""
    lengths = stream.read(LENGTHS.size)
    if len(lengths) < LENGTHS.size:
        return None
    head_length, content_length = LENGTHS.unpack(lengths)
    return stream.read(head_length), stream.read(content_length)
