"""Hashtags (R79): what is one, and when two are the same. Pure."""

import unicodedata

from services.media.articles.composition import composed

_MAXIMUM_LENGTH = 50


def is_hashtag(text: str) -> bool:
    """`#`, then words of any script joined by `&`; at most 50 characters (NFC) in all.

    A word is of letters, digits, the marks that scripts such as Devanagari write vowels with, and
    `_`, and holds a letter or a digit: `#Baby&Kids`, `#2024_sale`, `#हिन्दी`.
    """
    tag = composed(text)
    if not tag.startswith("#") or len(tag) > _MAXIMUM_LENGTH:
        return False
    return all(_is_word(word) for word in tag[1:].split("&"))


def folded(text: str) -> str:
    """Equal for hashtags that readers take for the same."""
    return composed(composed(text).casefold())


def _is_word(word: str) -> bool:
    kinds = [unicodedata.category(one)[0] for one in word.replace("_", "")]
    return all(kind in "LMN" for kind in kinds) and kinds[:1] != ["M"] and bool({*kinds} & {*"LN"})
