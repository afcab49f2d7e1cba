"""What is to_nfc, what is not, and that neither takes longer than its length calls for."""

import re
import time
import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from services.media.articles.commands import ArticleInput, ImageInput, TextInput
from services.media.articles.normalization import MARKS_MAXIMUM, is_stream_safe, to_nfc

# Marks of two classes, so that composing has them to sort.
ABOVE, ABOVE_RIGHT = "\u0300", "\u0315"
# No mark by its own class; two of them once decomposed.
TIBETAN = "\u0f73"
MEBIBYTES_15 = 15 * 2**20


@pytest.mark.parametrize("mark", [ABOVE, ABOVE_RIGHT, TIBETAN, "\u0344", "\U0001d165"])
@pytest.mark.parametrize("before", ["", "a", "\u00e9", "\u0f40"])
def test_so_many_marks_and_no_more_are_composed(mark: str, before: str) -> None:
    within = f"x{ABOVE}{before}{mark * MARKS_MAXIMUM}b{mark * MARKS_MAXIMUM}"
    if not before:
        within = within[2:]
    assert is_stream_safe(within)
    assert to_nfc(within) == unicodedata.normalize("NFC", within)
    beyond = f"{before}{mark * (MARKS_MAXIMUM + 1)}"
    assert not is_stream_safe(beyond)
    assert to_nfc(beyond) == beyond


@given(st.text(st.sampled_from(f"a\u00e9]^-\\{ABOVE}{ABOVE_RIGHT}{TIBETAN}")))
def test_a_run_is_counted_as_one_reads_it(text: str) -> None:
    runs = re.findall(f"[{ABOVE}{ABOVE_RIGHT}{TIBETAN}]+", text)
    assert is_stream_safe(text) == all(len(run) <= MARKS_MAXIMUM for run in runs)


def test_real_writing_has_fewer_marks() -> None:
    for words in ("Tiếng Việt", "हिन्दी", "ภาษาไทย", "עִבְרִית", "العَرَبِيَّة", "བོད་སྐད་"):
        assert is_stream_safe(unicodedata.normalize("NFD", words))


def _titled(text: str) -> object:
    return ArticleInput(title=text)


def _tagged(text: str) -> object:
    return ArticleInput(hashtags=[text])


def _described(text: str) -> object:
    return ImageInput(media_object="mediaObjects/m1", description=text)


def _written(text: str) -> object:
    return TextInput(text=text)


@pytest.mark.parametrize("read", [_titled, _tagged, _described, _written])
@pytest.mark.parametrize(
    "marks",
    [
        ABOVE_RIGHT * 50_000 + ABOVE * 50_000,
        (ABOVE_RIGHT + ABOVE) * (MEBIBYTES_15 // 4),
        TIBETAN * (MEBIBYTES_15 // 3),
    ],
    ids=["in order", "15 MiB by turns", "15 MiB in disguise"],
)
def test_marks_without_end_are_refused_in_the_time_that_reading_takes(
    read: Callable[[str], object], marks: str
) -> None:
    text = f"a{marks}"
    begin = time.process_time()
    with pytest.raises(ValidationError):
        read(text)
    took = time.process_time() - begin
    # Composing the first of them takes 15 seconds; reading the longest takes a fifth of one.
    assert took < 3


@pytest.mark.parametrize(
    ("letter", "seconds"),
    [("e" + ABOVE, 10), ("a" + (ABOVE_RIGHT + ABOVE) * (MARKS_MAXIMUM // 2), 10)],
    ids=["accents", "as many marks as may be"],
)
def test_a_text_of_megabytes_is_composed_in_time(letter: str, seconds: float) -> None:
    text = letter * (MEBIBYTES_15 // len(letter.encode()))
    begin = time.process_time()
    assert TextInput(text=text).text == unicodedata.normalize("NFC", text)
    assert time.process_time() - begin < seconds
