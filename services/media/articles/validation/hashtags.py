"""Hashtags (R79): syntax and equality. Pure."""

import unicodedata

from services.media.articles.normalization import to_nfc

_MAXIMUM_LENGTH = 50


def is_hashtag(text: str) -> bool:
    """`#`, then words of any script joined by `&`; at most 50 characters (NFC) in all.

    A word consists of letters, digits, `_` and the marks that scripts such as Devanagari use for
    vowels, and has at least one letter or digit: `#Baby&Kids`, `#2024_sale`, `#हिन्दी`.
    """
    tag = to_nfc(text)
    if not tag.startswith("#") or len(tag) > _MAXIMUM_LENGTH:
        return False
    return all(_is_word(word) for word in tag[1:].split("&"))


def folded(text: str) -> str:
    """A form in which equal hashtags are equal, whatever their case."""
    return to_nfc(to_nfc(text).casefold())


def _is_word(word: str) -> bool:
    kinds = [unicodedata.category(one)[0] for one in word.replace("_", "")]
    return all(kind in "LMN" for kind in kinds) and kinds[:1] != ["M"] and bool({*kinds} & {*"LN"})
