"""Unicode normalization (NFC) of untrusted text. Pure.

Normalization sorts the combining marks on a letter, in time that grows with the square of their
number. Marks are therefore counted first, in time that is linear in the length of the text.
"""

import re
import unicodedata

# Combining marks on one letter (UAX #15, Stream-Safe Text Format). No language needs so many.
MARKS_MAXIMUM = 30
# One code point in NFC takes up to 4 in NFD, such as U+1F82 (UAX #15, expansion factors).
EXPANSION_MAXIMUM = 4


def is_stream_safe(text: str) -> bool:
    """Whether no run of combining marks is longer than `MARKS_MAXIMUM`."""
    if text.isascii():
        return True
    marks = "".join(re.escape(one) for one in set(text) if _is_mark(one))
    if not marks:
        return True
    # The lookbehind makes every run be tried once, at its beginning.
    return re.search(f"(?<![{marks}])[{marks}]{{{MARKS_MAXIMUM + 1}}}", text) is None


def to_nfc(text: str) -> str:
    """The text in NFC; text that is not stream-safe is returned unchanged."""
    return unicodedata.normalize("NFC", text) if is_stream_safe(text) else text


def _is_mark(character: str) -> bool:
    """Includes characters of combining class 0 that decompose into marks, such as U+0F73."""
    return unicodedata.combining(unicodedata.normalize("NFD", character)[0]) != 0
