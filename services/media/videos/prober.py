"""The video prober: a confined worker process in which libav reads untrusted videos.

It requests the video's bytes over its pipe (`services.media.videos.messages`), holds no secret, and
can open no file, no socket and nothing that a video refers to. The pool that started it
(`services.media.videos.pool`) limits reads and wall time and replaces it. It demuxes, decodes a few
key frames and reports; `services.media.videos.rules` decides what is acceptable.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from typing import BinaryIO, NoReturn

import av
import av.subtitles.codeccontext
import av.subtitles.stream  # this and the former: else PyAV imports them when it meets subtitles
from av.container import InputContainer
from av.packet import Packet
from av.stream import Discard, Disposition
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from servicekit.process import die_with_parent
from services.media.sandbox.confinement import confine, grant_cpu_seconds
from services.media.sandbox.frames import READY, read_frame, write_frame
from services.media.videos.headers import Container, missing_bytes
from services.media.videos.messages import (
    MAXIMUM_READ_BYTES,
    ProbeReport,
    ProbeRequest,
    ReadRequest,
)
from services.media.videos.posters import has_contrast, is_turned, jpeg_of, stretched

_DEMUXERS = {
    Container.MP4: "mov",
    Container.QUICKTIME: "mov",
    Container.WEBM: "matroska",
    Container.MATROSKA: "matroska",
}
# libav's names of codecs, and of their decoders.
_CODECS = frozenset(("h264", "hevc", "vp8", "vp9", "av1", "mpeg4"))
_DECODERS = "h264,hevc,vp8,vp9,libdav1d,mpeg4"
# Read to find what the header does not say about the streams.
_ANALYSED_BYTES = 1024 * 1024
_KEY_FRAMES = 4
_PACKETS = 4096
# Later than any frame, in any time base.
_FAR = 2**40

_BLOCK_BYTES = 64 * 1024
_MAXIMUM_BLOCKS = MAXIMUM_READ_BYTES // _BLOCK_BYTES
_KEPT_BLOCKS = 4 * _MAXIMUM_BLOCKS


class RemoteVideo:
    """A video as a file for libav, read in blocks over the pipe. Sequential reads fetch twice as
    many blocks each time, since each request takes a round trip to storage."""

    def __init__(self, size_bytes: int, answers: BinaryIO, requests: BinaryIO) -> None:
        self._size_bytes = size_bytes
        self._answers, self._requests = answers, requests
        self._position = 0
        self._blocks: dict[int, bytes] = {}
        self._next_block, self._run = -1, 1

    def read(self, size: int) -> bytes:
        content = self.read_at(self._position, size)
        self._position += len(content)
        return content

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size_bytes}
        position = start[whence] + offset
        if position < 0:
            raise ValueError("before the beginning")
        self._position = position
        return position

    def tell(self) -> int:
        return self._position

    def read_at(self, offset: int, length: int) -> bytes:
        """At most the rest of one block: a short read is not the end of the file."""
        number, start = divmod(offset, _BLOCK_BYTES)
        if offset >= self._size_bytes:
            return b""
        if number not in self._blocks:
            self._fetch(number)
        return self._blocks[number][start : start + length]

    def _fetch(self, number: int) -> None:
        follows = number == self._next_block
        self._run = min(2 * self._run, _MAXIMUM_BLOCKS) if follows else 1
        offset = number * _BLOCK_BYTES
        length = min(self._run * _BLOCK_BYTES, self._size_bytes - offset)
        write_frame(self._requests, ReadRequest(offset, length).to_json(), [])
        if (answer := read_frame(self._answers)) is None:
            _give_up()
        _, content = answer
        for start in range(0, len(content), _BLOCK_BYTES):
            self._blocks[number + start // _BLOCK_BYTES] = content[start : start + _BLOCK_BYTES]
        for oldest in list(self._blocks)[:-_KEPT_BLOCKS]:
            del self._blocks[oldest]
        self._next_block = number + self._run


def _give_up() -> NoReturn:
    """Exits: the pool has closed the pipe. No exception can pass through libav's frames."""
    os._exit(0)


def probe(video: RemoteVideo, request: ProbeRequest) -> tuple[ProbeReport, bytes]:
    """Reports on `video`, with its poster frame."""
    report = ProbeReport()
    if missing := missing_bytes(request.container, request.size_bytes, video.read_at):
        report.problem = f"its last {missing:,} bytes are missing"
        return report, b""
    try:
        with _open(video, request) as container:
            poster = _describe(container, request, report)
            return report, poster
    except av.FFmpegError as error:
        report.problem = error.strerror or "it is in no known form"
    except (ArithmeticError, MemoryError, ValueError):
        report.problem = "what its header says makes no sense"
    return report, b""


def _open(video: RemoteVideo, request: ProbeRequest) -> InputContainer:
    return av.open(
        video,
        "r",
        format=_DEMUXERS[request.container],
        options={
            "format_whitelist": "mov,matroska",
            "codec_whitelist": _DECODERS,
            "max_pixels": str(request.maximum_pixels),
            "probesize": str(_ANALYSED_BYTES),
            "threads": "1",
        },
        metadata_errors="replace",
        buffer_size=_BLOCK_BYTES,
        io_open=_refuse,
    )


def _refuse(url: str, flags: int, options: dict[str, str]) -> NoReturn:
    """Never opens what a video refers to."""
    raise PermissionError(url)


def _describe(container: InputContainer, request: ProbeRequest, report: ProbeReport) -> bytes:
    """Completes `report`; returns the poster frame."""
    stream = next(filter(_is_moving, container.streams.video), None)
    report.has_video = stream is not None
    if stream is None:
        return b""
    context = stream.codec_context
    # None where libav has no decoder, contrary to its type annotation.
    report.codec = context.codec.canonical_name if context else ""
    report.is_known_codec = report.codec in _CODECS
    if not report.is_known_codec:
        return b""
    report.width, report.height = context.width, context.height
    if report.width * report.height > request.maximum_pixels:
        return b""
    frame = _poster_frame(container, stream, request)
    report.duration_seconds = _duration_seconds(container, stream)
    if frame is None:
        report.problem = "no picture in it can be decoded"
        return b""
    width, height = stretched(frame, context.sample_aspect_ratio)
    report.width, report.height = (height, width) if is_turned(frame) else (width, height)
    return jpeg_of(frame, (width, height), request.poster_fit_within)


def _is_moving(stream: VideoStream) -> bool:
    """Whether the stream is not cover art."""
    return not stream.disposition & Disposition.attached_pic


def _poster_frame(
    container: InputContainer, stream: VideoStream, request: ProbeRequest
) -> VideoFrame | None:
    """The first key frame that is not blank, else the first that decodes."""
    stream.codec_context.options = {"max_pixels": str(request.maximum_pixels)}
    stream.codec_context.thread_count = 1
    for other in container.streams:
        other.discard = Discard.default if other is stream else Discard.all
    first = None
    for frame in _key_frames(container, stream):
        if has_contrast(frame):
            return frame
        first = first or frame
    return first


def _key_frames(container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
    """The first few key frames, except those that do not decode."""
    tried = 0
    for _, packet in zip(range(_PACKETS), container.demux(stream), strict=False):
        if packet.size == 0 or tried == _KEY_FRAMES:
            return
        if packet.is_keyframe:
            tried += 1
            with suppress(av.FFmpegError):
                yield from _decoded(stream.codec_context, packet)


def _decoded(context: VideoCodecContext, packet: "Packet[VideoStream]") -> Iterator[VideoFrame]:
    """Decodes one packet and flushes the decoder, which else waits for the packets after it."""
    frames = [*context.decode(packet), *context.decode(None)]
    context.flush_buffers()
    yield from (frame for frame in frames[:1] if not frame.is_corrupt)


def _duration_seconds(container: InputContainer, stream: VideoStream) -> float:
    """The longest of all sources: headers may be wrong, the index shows what is there."""
    for each in container.streams:
        each.discard = Discard.default
    if container.format.name.startswith("matroska"):
        # The index of key frames may be truncated: seeking to the end completes it.
        with suppress(av.FFmpegError):
            container.seek(_FAR, stream=stream, any_frame=True)
    ends = [Fraction(container.duration or 0, av.time_base)]
    frame = 1 / stream.average_rate if stream.average_rate else Fraction(0)
    for each in (*container.streams.video, *container.streams.audio):
        time_base = each.time_base or Fraction(0)
        ends.append((each.duration or 0) * time_base)
        if entries := each.index_entries:
            # The index has the start time of its last frame.
            ticks = entries[len(entries) - 1].timestamp - entries[0].timestamp
            ends.append(ticks * time_base + (frame if each is stream else 0))
    return float(max(ends))


def serve(requests: BinaryIO, reports: BinaryIO, cpu_seconds: int) -> None:
    """Serves requests until the pool closes the pipe."""
    while (frame := read_frame(requests)) is not None:
        request = ProbeRequest.from_json(frame[0])
        grant_cpu_seconds(cpu_seconds)
        report, poster = probe(RemoteVideo(request.size_bytes, requests, reports), request)
        write_frame(reports, report.to_json(), [poster])


def main(parent_pid: int, memory_bytes: int, cpu_seconds: int) -> None:
    die_with_parent(parent_pid)
    av.logging.set_level(None)
    # Standard input, output and error.
    confine(memory_bytes, open_files=3)
    write_frame(sys.stdout.buffer, READY, [])
    serve(sys.stdin.buffer, sys.stdout.buffer, cpu_seconds)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
