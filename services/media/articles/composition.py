"""Unicode's composed form (NFC) of what strangers write. Pure.

Composing sorts the marks on a letter in time that grows with the square of their number, so nothing
is composed before they were counted, in time that grows with the text alone.
"""

import re
import unicodedata

# Of marks on one letter: UAX #15, Stream-Safe Text Format. No language needs more than a few.
MARKS_MAXIMUM = 30
# Code points that one of NFC may come as: 4 of NFD, such as U+1F82 (UAX #15, expansion factors).
EXPANSION_MAXIMUM = 4


def is_stream_safe(text: str) -> bool:
    """Whether no run of combining marks is longer than `MARKS_MAXIMUM`."""
    if text.isascii():
        return True
    marks = "".join(re.escape(one) for one in set(text) if _is_mark(one))
    if not marks:
        return True
    # Looked for where a run begins, and nowhere within it.
    return re.search(f"(?<![{marks}])[{marks}]{{{MARKS_MAXIMUM + 1}}}", text) is None


def composed(text: str) -> str:
    """What looks the same is the same; what is not stream-safe stays as it is."""
    return unicodedata.normalize("NFC", text) if is_stream_safe(text) else text


def _is_mark(character: str) -> bool:
    """Some that combine with nothing themselves, such as U+0F73, are made of marks that do."""
    return unicodedata.combining(unicodedata.normalize("NFD", character)[0]) != 0
