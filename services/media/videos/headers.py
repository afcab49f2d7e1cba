"""Video container and completeness from its outermost elements, without a demuxer. Pure.

The container follows from content, never from file name or declared type. An element that reaches
beyond the end of the file shows that it is truncated, which demuxers ignore.
"""

from collections.abc import Callable
from enum import StrEnum

from services.media.images.headers import description_of, format_of

# Length of a file's beginning from which its container is recognised.
HEAD_BYTES = 4096
# A fragmented recording has two boxes for each fragment of about a second.
_MAXIMUM_BOXES = 8192

Read = Callable[[int, int], bytes]  # offset and length; fewer bytes at the end


class Container(StrEnum):
    """The containers that are accepted (R88)."""

    MP4 = "MP4"
    QUICKTIME = "QUICKTIME"
    WEBM = "WEBM"
    MATROSKA = "MATROSKA"


CONTENT_TYPES = {
    Container.MP4: "video/mp4",
    Container.QUICKTIME: "video/quicktime",
    Container.WEBM: "video/webm",
    Container.MATROSKA: "video/x-matroska",
}

_EBML = b"\x1aE\xdf\xa3"
_SEGMENT = b"\x18S\x80g"
_DOC_TYPE = b"\x42\x82"
_DOC_TYPES = {b"webm": Container.WEBM, b"matroska": Container.MATROSKA}
# First box of a QuickTime file without a brand (ftyp).
_FIRST_BOXES = (b"moov", b"mdat", b"wide")
_PICTURE_BRANDS = frozenset(
    (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"avif", b"avis")
)
_OTHERS: tuple[tuple[int, bytes, str], ...] = (
    (8, b"AVI ", "an AVI video"),
    (0, b"FLV", "a Flash video"),
    (0, b"OggS", "an Ogg file"),
    (0, b"0&\xb2u\x8ef\xcf\x11", "a Windows Media file"),
    (0, b"\x00\x00\x01\xba", "an MPEG program stream"),
    (188, b"G", "an MPEG transport stream"),
    (0, _EBML, "a Matroska file of an unknown kind"),
)


def container_of(head: bytes) -> Container | None:
    """`head` is the first `HEAD_BYTES` of the file."""
    if head.startswith(_EBML):
        return _DOC_TYPES.get(_doc_type(head))
    if head[4:8] == b"ftyp":
        brand = head[8:12]
        if brand in _PICTURE_BRANDS:
            return None
        return Container.QUICKTIME if brand == b"qt  " else Container.MP4
    return Container.QUICKTIME if head[4:8] in _FIRST_BOXES else None


def description_of_file(head: bytes) -> str:
    """Describes a file in no accepted container, for people to read."""
    if kind := format_of(head):
        return f"a {kind} image"
    for offset, magic, description in _OTHERS:
        # Packets of a transport stream have 188 bytes, each beginning with G.
        if head.startswith(magic, offset) and (offset != 188 or head.startswith(magic)):
            return description
    return description_of(head, otherwise="no known kind of video")


def missing_bytes(container: Container, size_bytes: int, read: Read) -> int:
    """How many bytes are missing at the end, by the sizes in the file; 0 if none."""
    if container in (Container.WEBM, Container.MATROSKA):
        return _missing_of_segment(size_bytes, read(0, HEAD_BYTES))
    return _missing_of_boxes(size_bytes, read)


def _missing_of_boxes(size_bytes: int, read: Read) -> int:
    """Boxes follow each other to the end (ISO/IEC 14496-12, 4.2). Other bytes after them are
    ignored, as players do."""
    position = 0
    for _ in range(_MAXIMUM_BOXES):
        header = read(position, 16)
        if len(header) < 8 or not header[4:8].isalnum():
            break
        size = int.from_bytes(header[:4], "big")
        if size == 1:  # it is in the 8 bytes that follow
            size = int.from_bytes(header[8:16], "big")
        if size < 8:  # 0 is "to the end of the file"; less is no box
            break
        position += size
        if position >= size_bytes:
            break
    return max(0, position - size_bytes)


def _missing_of_segment(size_bytes: int, head: bytes) -> int:
    """Everything is in one segment, which follows the header (RFC 8794, RFC 9559)."""
    _, header_size, position = _element(head, 0)
    position += header_size
    name, size, position = _element(head, position)
    if name != _SEGMENT or size < 0:
        return 0
    return max(0, position + size - size_bytes)


def _doc_type(head: bytes) -> bytes:
    _, size, position = _element(head, 0)
    end = min(position + size, len(head))
    while 0 <= position < end:
        name, size, position = _element(head, position)
        if name == _DOC_TYPE:
            return head[position : position + max(size, 0)].rstrip(b"\0")
        position += max(size, 0)
    return b""


def _element(head: bytes, position: int) -> tuple[bytes, int, int]:
    """An element's id, its size (-1 where it is unknown), and where its content begins."""
    name = head[position : position + _width(head, position)]
    position += max(len(name), 1)
    width = _width(head, position)
    size = int.from_bytes(head[position : position + width], "big") & ((1 << 7 * width) - 1)
    is_unknown = size == (1 << 7 * width) - 1
    return name, -1 if is_unknown else size, position + width


def _width(head: bytes, position: int) -> int:
    """Length of a variable-size integer, by its leading zero bits (RFC 8794, 4)."""
    first = head[position] if position < len(head) else 0
    return 9 - first.bit_length() if first else 8
