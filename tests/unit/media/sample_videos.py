"""Generates small videos, and alters them so that their headers are wrong."""

import io
import struct
import tempfile
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path

import av
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

RATE = 10
_SAMPLE_RATE = 48_000


def sample_video(
    form: str = "mp4",
    codec: str = "libx264",
    *,
    seconds: int = 3,
    size: tuple[int, int] = (320, 240),
    is_silent: bool = False,
    fades_in: bool = False,
    turned_degrees: int = 0,
    quality: int | None = None,
    options: Mapping[str, str] | None = None,
) -> bytes:
    """Moving bars with silent sound. With `fades_in` its first second is black.

    `turned_degrees` is the rotation to the left for display; `quality` is x264's CRF, of which 1
    makes large files.
    """
    # In a file: to move the index to the front, the muxer opens it again.
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"sample_video.{form}"
        with av.open(str(path), "w", format=form, options=dict(options or {})) as output:
            sound = None if is_silent else _sound(output, form)
            picture = output.add_stream(codec, rate=RATE)
            picture.set_display_rotation(turned_degrees)
            if codec == "libx264":
                crf = {} if quality is None else {"crf": str(quality)}
                picture.options = {"preset": "ultrafast", "x264-params": "log=-1", **crf}
            _draw(output, picture, seconds, size, fades_in)
            if sound is not None:
                _play(output, sound, seconds)
        return path.read_bytes()


def sound_only(form: str = "mp4", seconds: int = 2) -> bytes:
    output = io.BytesIO()
    with av.open(output, "w", format=form) as container:
        _play(container, _sound(container, form), seconds)
    return output.getvalue()


def _draw(
    output: OutputContainer,
    stream: VideoStream,
    seconds: int,
    size: tuple[int, int],
    fades_in: bool,
) -> None:
    codec = stream.codec_context.name
    stream.width, stream.height = size
    stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    stream.codec_context.gop_size = RATE
    stream.codec_context.thread_count = 1
    for number in range(seconds * RATE):
        frame = VideoFrame(*size, "yuv420p")
        is_black = fades_in and number < RATE
        for plane, value in zip(frame.planes, (16, 128, 128), strict=True):
            plane.update(bytes([value]) * plane.buffer_size)
        if not is_black:
            luma = frame.planes[0]
            row = bytes(16 + (column + 8 * number) % 200 for column in range(luma.line_size))
            luma.update(row * (luma.buffer_size // luma.line_size))
        frame.pts, frame.time_base = number, Fraction(1, RATE)
        output.mux(stream.encode(frame))
    output.mux(stream.encode(None))


def _sound(output: OutputContainer, form: str) -> AudioStream:
    codec = (
        "libopus" if form in ("webm", "matroska") else "mp2" if form in ("avi", "mpegts") else "aac"
    )
    stream = output.add_stream(codec, rate=_SAMPLE_RATE)
    assert isinstance(stream, AudioStream)
    return stream


def _play(output: OutputContainer, stream: AudioStream, seconds: int) -> None:
    context = stream.codec_context
    context.open(strict=False)  # the header, written with the first picture, has opened it
    size = context.frame_size or 960
    for start in range(0, seconds * _SAMPLE_RATE, size):
        frame = AudioFrame(context.format.name, context.layout.name, size)
        for plane in frame.planes:
            plane.update(bytes(plane.buffer_size))
        frame.sample_rate, frame.pts = _SAMPLE_RATE, start
        frame.time_base = Fraction(1, _SAMPLE_RATE)
        output.mux(stream.encode(frame))
    output.mux(stream.encode(None))


def lengthened(mp4: bytes, claimed_seconds: int) -> bytes:
    """An MP4 whose headers all have this duration; its samples are unchanged."""
    changed = bytearray(mp4)
    # Version 0: flags and two times, then an id where a track's is and a timescale elsewhere.
    for name, position in ((b"mvhd", 20), (b"mdhd", 20), (b"tkhd", 24)):
        at = changed.find(name)
        while at >= 0:
            timescale = int.from_bytes(changed[at + 16 : at + 20], "big")
            ticks = claimed_seconds * (1000 if name == b"tkhd" else timescale)
            changed[at + position : at + position + 4] = ticks.to_bytes(4, "big")
            at = changed.find(name, at + 4)
    return bytes(changed)


def with_duration(matroska: bytes, claimed_seconds: float) -> bytes:
    """A Matroska or WebM whose header has this duration."""
    at = matroska.index(b"\x44\x89\x88") + 3
    return matroska[:at] + struct.pack(">d", 1000 * claimed_seconds) + matroska[at + 8 :]


def with_size(matroska: bytes, width: int, height: int) -> bytes:
    """A Matroska or WebM of 320×240 pixels whose header has another size."""
    changed = matroska.replace(b"\xb0\x82\x01\x40", b"\xb0\x82" + width.to_bytes(2, "big"))
    # A height below 256 has one byte.
    return changed.replace(b"\xba\x81\xf0", b"\xba\x81" + height.to_bytes(1, "big"))


def with_reference(mp4: bytes, path: bytes) -> bytes:
    """An MP4 with its index at the end, whose first track refers to another file."""
    padded = path + b"\0" * (len(path) % 2)
    alias = (
        bytes(10 + 1 + 27 + 12 + 1 + 63 + 16)
        + struct.pack(">HH16x", 1, 1)
        + struct.pack(">HH", 2, len(path))  # an absolute path
        + padded
        + b"\xff\xff\0\0"
    )
    entry = struct.pack(">I4sI", 12 + len(alias), b"alis", 0) + alias
    reference = struct.pack(">I4sII", 16 + len(entry), b"dref", 0, 1) + entry
    return _replaced(mp4, (b"moov", b"trak", b"mdia", b"minf", b"dinf", b"dref"), reference)


def _replaced(boxes: bytes, path: tuple[bytes, ...], replacement: bytes) -> bytes:
    """The boxes with the first one under `path` replaced, and those around it resized."""
    done, position = b"", 0
    while position < len(boxes):
        size, name = struct.unpack_from(">I4s", boxes, position)
        if name == path[0]:
            content = boxes[position + 8 : position + size]
            box = (
                struct.pack(">I4s", 8 + len(inner), name) + inner
                if len(path) > 1 and (inner := _replaced(content, path[1:], replacement))
                else replacement
            )
            return done + box + boxes[position + size :]
        done += boxes[position : position + size]
        position += size
    raise AssertionError(f"no {path[0]!r}")
