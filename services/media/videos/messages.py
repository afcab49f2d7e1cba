"""Messages between the video prober and its pool. Pure.

They travel as the JSON heads of frames (`services.media.sandbox.frames`). The pool sends a probe
request. The prober sends read requests, one range of the video each, which the pool answers with
the bytes; and finally its report with the poster frame.
"""

import json
import math
from dataclasses import asdict, dataclass, fields

from services.media.videos.headers import Container

# The longest range that the prober may request.
MAXIMUM_READ_BYTES = 1024 * 1024
# Of the poster frame, a JPEG.
MAXIMUM_POSTER_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True)
class ProbeRequest:
    """What to do with one video."""

    container: Container
    size_bytes: int
    # Larger frames are never decoded.
    maximum_pixels: int
    # The poster's longer side is at most this.
    poster_fit_within: int

    def to_json(self) -> bytes:
        return json.dumps(asdict(self)).encode()

    @classmethod
    def from_json(cls, head: bytes) -> "ProbeRequest":
        values = json.loads(head)
        return cls(Container(values.pop("container")), **values)


@dataclass(frozen=True)
class ReadRequest:
    """Requests a range of the video."""

    offset: int
    length: int

    def to_json(self) -> bytes:
        return json.dumps(asdict(self)).encode()


@dataclass
class ProbeReport:
    """What the prober found. Sizes are as displayed, after rotation and with square pixels."""

    problem: str = ""  # why the rest is unknown
    has_video: bool = False
    codec: str = ""
    is_known_codec: bool = False
    width: int = 0
    height: int = 0
    # The longest that container, streams and index give.
    duration_seconds: float = 0.0

    def to_json(self) -> bytes:
        return json.dumps(asdict(self)).encode()


def parse_message(head: bytes) -> ReadRequest | ProbeReport:
    """Validates a message of the prober, which a video may have taken over.

    Raises:
        ValueError: no valid message.
    """
    try:
        values = json.loads(head)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if not isinstance(values, dict):
        raise ValueError("no fields")
    kind = ReadRequest if "offset" in values else ProbeReport
    names = {field.name: field.type for field in fields(kind)}
    if values.keys() != names.keys():
        raise ValueError("other fields")
    for name, value in values.items():
        if type(value) is not names[name]:
            raise ValueError(f"{name} is a {type(value).__name__}")
        if isinstance(value, int | float) and not (0 <= value < 2**53 and math.isfinite(value)):
            raise ValueError(f"{name} is {value}")
    return kind(**values)
