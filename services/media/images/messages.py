"""Messages between the image decoder and its pool: a request for each image, and a report.

They travel as the JSON heads of frames (`services.media.sandbox.frames`). Pure: the decoder imports
this module, too.
"""

import json
from dataclasses import asdict, dataclass, field

from services.media.images.headers import Format

# What decoding may run out of.
MEMORY, PROCESSOR_TIME = "memory", "processor time"


@dataclass(frozen=True)
class DecodeRequest:
    """What to make of one image."""

    maximum_pixels: int
    # Longer side of the clean copy, in pixels; None keeps the image's size.
    fit_within: int | None
    # Of the clean copy; the decoder tries to stay below.
    maximum_bytes: int
    # Longer sides of the smaller copies, in pixels, largest first.
    renditions: tuple[int, ...] = ()
    # Decodes nothing: for the beginning of a file that is too long.
    is_header_only: bool = False

    def to_json(self) -> bytes:
        return json.dumps(asdict(self)).encode()

    @classmethod
    def from_json(cls, head: bytes) -> "DecodeRequest":
        values = json.loads(head)
        return cls(**values | {"renditions": tuple(values["renditions"])})


@dataclass(frozen=True)
class Copy:
    """One encoded copy. `fit_within` is that of the requested rendition; 0 for the clean copy."""

    fit_within: int
    format: Format
    size_bytes: int
    width: int
    height: int


@dataclass
class DecodeReport:
    """What the decoder found. Sizes are as displayed, after EXIF orientation."""

    format: Format | None = None
    found: str = ""  # description of content in no accepted format
    width: int = 0
    height: int = 0
    problem: str = ""  # why there is no clean copy
    exhausted: str = ""  # MEMORY or PROCESSOR_TIME, where decoding takes more than is allowed
    # Perceptual hash, 64 bits; None for an image with too little contrast.
    dhash: int | None = None
    # The clean copy, then the renditions smaller than it; their bytes follow in this order.
    copies: list[Copy] = field(default_factory=list)

    @property
    def clean_bytes(self) -> int:
        return self.copies[0].size_bytes if self.copies else 0

    def to_json(self) -> bytes:
        return json.dumps(asdict(self)).encode()
