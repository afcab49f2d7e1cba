"""The text of an article's teaser in the Inspiration tab: its first sentence (R73). Pure."""

import re

from services.media.articles.domain import Content, Text

# The end of a sentence: followed by white space in scripts that separate words, by anything in the
# others. Closing quotes and brackets belong to the sentence.
_CLOSERS = "\"'”’»)\\]"
_WIDE_CLOSERS = "」』”’）】》"
_END = re.compile(rf"[.!?…؟۔।]+[{_CLOSERS}]*(?=\s|$)|[。！？｡]+[{_WIDE_CLOSERS}]*")
# An empty line separates paragraphs and ends the sentence.
_PARAGRAPH = re.compile(r"\n\s*\n")
# The maximum length of an introduction (R75); texts without a full stop are cut there.
_MAXIMUM_LENGTH = 1000


def sentence_of(content: Content) -> str:
    """The first sentence of the introduction; else the title, or that of the first text."""
    texts = (block.text for block in content.blocks if isinstance(block, Text))
    if introduction := first_sentence(content.introduction):
        return introduction
    return content.title.strip() or next(filter(None, map(first_sentence, texts)), "")


def first_sentence(text: str) -> str:
    """Up to and including the first full stop or its equivalent. An abbreviation ends it too, which
    is preferable to a teaser of several sentences."""
    paragraph = _PARAGRAPH.split(text.strip(), maxsplit=1)[0]
    end = _END.search(paragraph)
    sentence = " ".join(paragraph[: end.end() if end else None].split())
    if len(sentence) <= _MAXIMUM_LENGTH:
        return sentence
    return f"{sentence[: _MAXIMUM_LENGTH - 1].rstrip()}…"
