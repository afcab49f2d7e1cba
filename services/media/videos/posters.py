"""Encodes a video's poster frame as a JPEG, in the prober's process.

The image decoder then rotates and sanitises it and makes the renditions that are served.
"""

import struct
from fractions import Fraction

from av import CodecContext
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

# EXIF orientations by a frame's counterclockwise rotation, in degrees.
_ORIENTATIONS = {-90: 6, 90: 8, 180: 3, -180: 3}
_NEARLY_LOSSLESS = 2  # of mjpeg's quantizers, which begin at 1
_SAMPLES = 32
# Of 256 grey levels. A frame with less contrast is blank, such as at the start of a fade-in.
_MINIMUM_CONTRAST = 24


def has_contrast(frame: VideoFrame) -> bool:
    """Whether the frame is not blank."""
    plane = frame.reformat(_SAMPLES, _SAMPLES, "gray", threads=1).planes[0]
    grey, row = bytes(plane), plane.line_size
    values = [
        value for start in range(0, row * _SAMPLES, row) for value in grey[start : start + _SAMPLES]
    ]
    return max(values) - min(values) >= _MINIMUM_CONTRAST


def is_turned(frame: VideoFrame) -> bool:
    """Whether its sides are swapped for display."""
    return frame.rotation % 180 == 90


def stretched(frame: VideoFrame, sample_aspect_ratio: Fraction | None) -> tuple[int, int]:
    """Its size with square pixels, before it is turned."""
    ratio = sample_aspect_ratio or Fraction(1)
    if not Fraction(1, 4) <= ratio <= 4:  # not of any camera
        ratio = Fraction(1)
    return max(1, round(frame.width * ratio)), frame.height


def jpeg_of(frame: VideoFrame, size: tuple[int, int], fit_within: int) -> bytes:
    """`size` is that of square pixels; the longer side becomes at most `fit_within`."""
    scale = min(1.0, fit_within / max(size))
    width, height = (max(1, round(side * scale)) for side in size)
    small = frame.reformat(width, height, "yuvj420p", interpolation="AREA", threads=1)
    small.pts = 0
    encoder = CodecContext.create("mjpeg", "w")
    if not isinstance(encoder, VideoCodecContext):
        raise AssertionError("mjpeg is for pictures")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuvj420p"
    encoder.time_base = Fraction(1, 25)
    encoder.qmin = encoder.qmax = _NEARLY_LOSSLESS
    encoder.thread_count = 1
    jpeg = b"".join(bytes(packet) for packet in (*encoder.encode(small), *encoder.encode(None)))
    return _oriented(jpeg, _ORIENTATIONS.get(frame.rotation, 1))


def _oriented(jpeg: bytes, orientation: int) -> bytes:
    """With an EXIF segment that has this one tag (0x0112, a SHORT; TIFF 6.0, section 2)."""
    tiff = struct.pack(">2sHIHHHIHxxI", b"MM", 42, 8, 1, 0x0112, 3, 1, orientation, 0)
    exif = b"Exif\0\0" + tiff
    return jpeg[:2] + struct.pack(">HH", 0xFFE1, len(exif) + 2) + exif + jpeg[2:]
