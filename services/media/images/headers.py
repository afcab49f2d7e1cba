"""Image format and size from the first bytes, without a decoder. Pure.

The format follows from content, never from file name or declared type, and the pixel count is known
before a decoder written in C sees a byte. A header may be wrong: the decoder decides.
"""

from enum import StrEnum


class Format(StrEnum):
    """The formats that are accepted (R67)."""

    JPEG = "JPEG"
    PNG = "PNG"

    @property
    def content_type(self) -> str:
        return f"image/{self.value.lower()}"


_JPEG_MAGIC = b"\xff\xd8\xff"
_PNG_MAGIC = b"\x89PNG\r\n\x1a\n"

# Frequent formats that are not accepted, for the description in a rejection.
_OTHERS: tuple[tuple[int, bytes, str], ...] = (
    (0, b"GIF8", "a GIF image"),
    (8, b"WEBP", "a WebP image"),
    (0, b"II*\x00", "a TIFF image"),
    (0, b"MM\x00*", "a TIFF image"),
    (0, b"8BPS", "a Photoshop document"),
    (0, b"BM", "a BMP image"),
    (4, b"ftypavif", "an AVIF image"),
    (4, b"ftyphei", "a HEIC image"),
    (4, b"ftypmif1", "a HEIF image"),
    (4, b"ftyp", "a video"),
    (0, b"\x1aE\xdf\xa3", "a video"),
    (0, b"%PDF", "a PDF document"),
    (0, b"PK\x03\x04", "a ZIP archive"),
    (0, b"<svg", "an SVG drawing"),
)


def format_of(content: bytes) -> Format | None:
    if content.startswith(_JPEG_MAGIC):
        return Format.JPEG
    if content.startswith(_PNG_MAGIC):
        return Format.PNG
    return None


def description_of(content: bytes, otherwise: str = "no known kind of image") -> str:
    """Describes content in no accepted format, for people to read."""
    for offset, magic, description in _OTHERS:
        if content.startswith(magic, offset):
            return description
    beginning = content[:512]
    if beginning.isascii() and beginning.decode("ascii").isprintable():
        return "text"
    return otherwise


def stored_size(content: bytes, kind: Format) -> tuple[int, int] | None:
    """Width and height as stored, before EXIF orientation; None if the header has none."""
    return _png_size(content) if kind is Format.PNG else _jpeg_size(content)


def _png_size(content: bytes) -> tuple[int, int] | None:
    """IHDR is always the first chunk (https://www.w3.org/TR/png-3/#11IHDR)."""
    if content[12:16] != b"IHDR" or len(content) < 24:
        return None
    return int.from_bytes(content[16:20], "big"), int.from_bytes(content[20:24], "big")


# Start-of-frame markers carry the size; DHT, JPG and DAC share their range (ITU T.81, table B.1).
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_WITHOUT_LENGTH = frozenset({0x00, 0x01, *range(0xD0, 0xD9)})
_START_OF_SCAN, _END = 0xDA, 0xD9


def _jpeg_size(content: bytes) -> tuple[int, int] | None:
    position = 2
    # Bytes between segments are skipped, as decoders do.
    while (position := content.find(b"\xff", position)) >= 0 and position + 1 < len(content):
        marker = content[position + 1]
        if marker == 0xFF:
            position += 1
        elif marker in _FRAMES:
            frame = content[position + 5 : position + 9]
            height, width = int.from_bytes(frame[:2], "big"), int.from_bytes(frame[2:], "big")
            return (width, height) if len(frame) == 4 else None
        elif marker in (_START_OF_SCAN, _END):
            return None
        elif marker in _WITHOUT_LENGTH:
            position += 2
        else:
            length = int.from_bytes(content[position + 2 : position + 4], "big")
            position += 2 + max(length, 2)
    return None
