"""The sentence that an article begins with (R73)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.media.articles.domain import Content, Image, Text
from services.media.publications.teaser import first_sentence, sentence_of


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("One. Two.", "One."),
        ("No full stop at all", "No full stop at all"),
        ("Really?! Yes.", "Really?!"),
        ("It costs 12.90 USD. Cheap.", "It costs 12.90 USD."),
        ('She said "Buy it." And I did.', 'She said "Buy it."'),
        ("Wait… what?", "Wait…"),
        ("Version 2.0.1 is out! Look", "Version 2.0.1 is out!"),
        ("一つ目。二つ目。", "一つ目。"),
        ("「買った。」と言った。", "「買った。」"),
        ("真的吗？！是的。", "真的吗？！"),
        ("هل هذا جيد؟ نعم.", "هل هذا جيد؟"),
        ("यह अच्छा है। हाँ।", "यह अच्छा है।"),
        ("A line\nbroken in two. More.", "A line broken in two."),
        ("A heading\n\nThe first paragraph.", "A heading"),
        ("  \n Blanks around.  ", "Blanks around."),
        ("", ""),
        ("...", "..."),
    ],
)
def test_the_first_sentence_ends_at_its_full_stop(text: str, sentence: str) -> None:
    assert first_sentence(text) == sentence


def test_a_text_that_never_stops_is_cut() -> None:
    sentence = first_sentence("word " * 100_000)
    assert len(sentence) <= 1000
    assert sentence.endswith("word…")


@given(st.text(max_size=300))
def test_a_sentence_is_one_line_of_the_text_and_its_own_first_sentence(text: str) -> None:
    sentence = first_sentence(text)
    assert "".join(text.split()).startswith("".join(sentence.split()))
    assert sentence == " ".join(sentence.split())
    assert bool(sentence) == bool(text.strip())
    assert first_sentence(sentence) == sentence


def test_an_article_without_an_introduction_begins_with_its_title_or_its_text() -> None:
    blocks = (Image("m1"), Text("  "), Text("First. Second."), Text("Third."))
    assert sentence_of(Content(title="T", introduction="I. II.", blocks=blocks)) == "I."
    assert sentence_of(Content(title=" A title. Of two ", blocks=blocks)) == "A title. Of two"
    assert sentence_of(Content(blocks=blocks)) == "First."
    assert sentence_of(Content(blocks=(Image("m1"),))) == ""
