"""What the prober and its pool say to each other, in frames (`services.media.sandbox.frames`).

The pool sends an order. The prober answers with questions, one range of the video each, which the
pool answers with the bytes; and in the end with its report and the poster frame.
"""

import json
import math
from dataclasses import asdict, dataclass, fields

from services.media.videos.headers import Container

# The longest range that the prober may ask for.
MAXIMUM_READ_BYTES = 1024 * 1024
# Of the poster frame, a JPEG.
MAXIMUM_POSTER_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True)
class ProbeOrder:
    """What is asked of the prober for one video."""

    container: Container
    size_bytes: int
    # Larger frames are never decoded.
    maximum_pixels: int
    # The poster's longer side is at most this.
    poster_fit_within: int

    def to_json(self) -> bytes:
        return json.dumps(asdict(self)).encode()

    @classmethod
    def from_json(cls, head: bytes) -> "ProbeOrder":
        values = json.loads(head)
        return cls(Container(values.pop("container")), **values)


@dataclass(frozen=True)
class Question:
    """Asks for bytes of the video."""

    offset: int
    length: int

    def to_json(self) -> bytes:
        return json.dumps(asdict(self)).encode()


@dataclass
class ProbeReport:
    """What the prober found. Sizes are as displayed, after turning and stretching."""

    problem: str = ""  # why the rest is not known
    has_video: bool = False
    codec: str = ""
    is_known_codec: bool = False
    width: int = 0
    height: int = 0
    # The largest of what container, streams and index say.
    duration_seconds: float = 0.0

    def to_json(self) -> bytes:
        return json.dumps(asdict(self)).encode()


def from_prober(head: bytes) -> Question | ProbeReport:
    """What a prober said, which may have been taken over by its video.

    Raises:
        ValueError: it makes no sense.
    """
    try:
        values = json.loads(head)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if not isinstance(values, dict):
        raise ValueError("no fields")
    kind = Question if "offset" in values else ProbeReport
    names = {field.name: field.type for field in fields(kind)}
    if values.keys() != names.keys():
        raise ValueError("other fields")
    for name, value in values.items():
        if type(value) is not names[name]:
            raise ValueError(f"{name} is a {type(value).__name__}")
        if isinstance(value, int | float) and not (0 <= value < 2**53 and math.isfinite(value)):
            raise ValueError(f"{name} is {value}")
    return kind(**values)
