"""What the Inspiration tab shows of an article in words: the sentence that it begins with (R73).
Pure."""

import re

from services.media.articles.domain import Content, Text

# What ends a sentence: with a blank after it where words are parted by blanks, at once where they
# are not. Quotes and brackets that close behind it belong to it.
_CLOSERS = "\"'”’»)\\]"
_WIDE_CLOSERS = "」』”’）】》"
_END = re.compile(rf"[.!?…؟۔।]+[{_CLOSERS}]*(?=\s|$)|[。！？｡]+[{_WIDE_CLOSERS}]*")
# An empty line parts paragraphs: no sentence goes on after it.
_PARAGRAPH = re.compile(r"\n\s*\n")
# What an introduction holds at most (R75): a text without a full stop is cut there.
_MAXIMUM_LENGTH = 1000


def sentence_of(content: Content) -> str:
    """Of the introduction; without one the title, or the text that the article begins with."""
    texts = (block.text for block in content.blocks if isinstance(block, Text))
    if introduction := first_sentence(content.introduction):
        return introduction
    return content.title.strip() or next(filter(None, map(first_sentence, texts)), "")


def first_sentence(text: str) -> str:
    """Up to the first full stop or its like, which is kept. An abbreviation ends it too: readers
    forgive that more easily than a teaser that goes on and on."""
    paragraph = _PARAGRAPH.split(text.strip(), maxsplit=1)[0]
    end = _END.search(paragraph)
    sentence = " ".join(paragraph[: end.end() if end else None].split())
    if len(sentence) <= _MAXIMUM_LENGTH:
        return sentence
    return f"{sentence[: _MAXIMUM_LENGTH - 1].rstrip()}…"
