"""Hypothesis strategies for hostile images: mutations of small valid ones."""

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field

from hypothesis import strategies as st

from tests.unit.media.pictures import photo

# In the metadata of every seed; must not be in any copy.
SECRET = b"47.3769,8.5417 taken by anna"
_WIDTH, _HEIGHT = 768, 368  # above every minimum, so that examples can be accepted


def _jpeg_segment(marker: int, data: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(data) + 2) + data


def png_chunk(kind: bytes, data: bytes) -> bytes:
    body = kind + data
    return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))


def _tagged_jpeg(content: bytes) -> bytes:
    """With EXIF, XMP, a comment and an unknown segment, each with the secret."""
    tiff = b"II*\0\x08\0\0\0\x01\0\x0e\x01\x02\0" + struct.pack("<II", len(SECRET), 26) + bytes(4)
    segments = (
        _jpeg_segment(0xE1, b"Exif\0\0" + tiff + SECRET),
        _jpeg_segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + SECRET),
        _jpeg_segment(0xED, b"Photoshop 3.0\0" + SECRET),
        _jpeg_segment(0xFE, SECRET),
        _jpeg_segment(0xE9, SECRET),
    )
    return content[:2] + b"".join(segments) + content[2:]


def _tagged_png(content: bytes) -> bytes:
    chunks = (
        png_chunk(b"tEXt", b"Comment\0" + SECRET),
        png_chunk(b"zTXt", b"Author\0\0" + zlib.compress(SECRET)),
        png_chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + SECRET),
        png_chunk(b"eXIf", b"II*\0" + SECRET),
        png_chunk(b"prVt", SECRET),
    )
    return content[:33] + b"".join(chunks) + content[33:]


def _seeds() -> list[bytes]:
    picture = photo(_WIDTH, _HEIGHT, seed=1)
    grey = picture.colourspace("b-w")
    jpegs = [
        picture.jpegsave_buffer(Q=40),
        picture.jpegsave_buffer(Q=40, interlace=True),
        picture.jpegsave_buffer(Q=40, subsample_mode="off", restart_interval=8),
        grey.jpegsave_buffer(Q=40),
        picture.colourspace("cmyk").jpegsave_buffer(Q=40),
    ]
    pngs = [
        picture.pngsave_buffer(palette=True, bitdepth=4),
        (picture >> 6 << 6).pngsave_buffer(interlace=True),
        grey.pngsave_buffer(bitdepth=2),
        (picture >> 6 << 6).bandjoin(picture[0] >> 7 << 7).pngsave_buffer(),
        (picture >> 6).cast("ushort").copy(interpretation="rgb16").pngsave_buffer(bitdepth=16),
    ]
    return [*map(_tagged_jpeg, jpegs), *map(_tagged_png, pngs)]


SEEDS = _seeds()
_INTERESTING = (b"\0", b"\xff", b"\x7f\xff", b"\x80\0", b"\xff\xff", bytes(4), b"\xff\xff\xff\xff")

Mangle = Callable[[bytes], bytes]


def _replaced(content: bytes, start: int, length: int, other: bytes) -> bytes:
    return content[:start] + other + content[start + length :]


@st.composite
def _mangles(draw: st.DrawFn, size: int) -> Mangle:
    """One mutation: bits, truncation, deletion, repetition, a splice, or extreme numbers."""
    start = draw(st.integers(0, size) | st.integers(0, min(size, 1200)))  # headers, more often
    length = draw(st.integers(1, 8) | st.integers(1, 4000))
    kind = draw(st.sampled_from(("bits", "cut", "hole", "again", "splice", "number", "noise")))
    if kind == "bits":
        mask = draw(st.integers(1, 255))
        return lambda content: _replaced(
            content, start, 1, bytes(byte ^ mask for byte in content[start : start + 1])
        )
    if kind == "cut":
        return lambda content: content[:start]
    if kind == "hole":
        return lambda content: _replaced(content, start, length, b"")
    if kind == "again":
        return lambda content: _replaced(content, start, 0, content[start : start + length])
    if kind == "splice":
        other = draw(st.sampled_from(SEEDS))
        origin = draw(st.integers(0, len(other)))
        return lambda content: _replaced(content, start, length, other[origin : origin + length])
    odd = draw(st.sampled_from(_INTERESTING) if kind == "number" else st.binary(max_size=64))
    return lambda content: _replaced(content, start, len(odd), odd)


def _with_checksums(content: bytes) -> bytes:
    """A PNG with corrected chunk checksums, so that mutations reach the decoder."""
    fixed, position = content[:8], 8
    while position + 12 <= len(content):
        (length,) = struct.unpack_from(">I", content, position)
        if position + 12 + length > len(content):
            break
        fixed += png_chunk(
            content[position + 4 : position + 8], content[position + 8 : position + 8 + length]
        )
        position += 12 + length
    return fixed + content[position:]


@st.composite
def mangled(draw: st.DrawFn) -> bytes:
    """A valid image with a few mutations."""
    content = draw(st.sampled_from(SEEDS))
    for mangle in draw(st.lists(_mangles(len(content)), min_size=1, max_size=4)):
        content = mangle(content)
    if content.startswith(b"\x89PNG") and draw(st.booleans()):
        content = _with_checksums(content)
    return content


@st.composite
def with_lying_header(draw: st.DrawFn) -> bytes:
    """A valid image whose header has another size, depth or kind of colour."""
    content = bytearray(draw(st.sampled_from(SEEDS)))
    side = st.sampled_from((0, 1, 7, 367, 769, 4096, 6000, 65_535)) | st.integers(0, 65_535)
    width, height = draw(side), draw(side)
    if content.startswith(b"\x89PNG"):
        rest = draw(
            st.sampled_from((bytes(content[24:29]), b"\x10\x06\0\0\1"))
            | st.binary(min_size=5, max_size=5)
        )
        header = struct.pack(">II", width, height) + rest
        content[8:33] = png_chunk(b"IHDR", header)
        return bytes(content)
    markers = [bytes(content).find(bytes([0xFF, marker])) for marker in (0xC0, 0xC2)]
    frame = max(markers)
    struct.pack_into(">HH", content, frame + 5, height, width)
    if draw(st.booleans()):
        content[frame + 9] = draw(st.integers(0, 255))  # how many components
    return bytes(content)


@st.composite
def signature_and_noise(draw: st.DrawFn) -> bytes:
    """Random bytes after the signature of a JPEG or a PNG."""
    magic = draw(st.sampled_from((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"\x89PNG", b"")))
    return magic + draw(st.binary(max_size=2000))


@dataclass(frozen=True)
class HostileImage:
    """Has a short repr: hypothesis prints the blob that reproduces an example."""

    content: bytes = field(repr=False)


def hostile_images() -> st.SearchStrategy[HostileImage]:
    return (mangled() | with_lying_header() | signature_and_noise()).map(HostileImage)
