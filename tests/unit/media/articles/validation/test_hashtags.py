"""Hashtags: those that the rule names, those of every script, and what is none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.media.articles.validation.hashtags import folded, is_hashtag


@pytest.mark.parametrize(
    "tag",
    [
        "#Bikinis",
        "#Baby&Kids",
        "#CheerForAliExpress",
        "#a",
        "#11_11",
        "#_sale_2024",
        "#A&B&C",
        "#распродажа",
        "#夏天",
        "#여름옷",
        "#हिन्दी",
        "#ไทย",
        "#עברית",
        "#été",
        "#e\u0301te\u0301",
        "#" + "x" * 49,
        "#" + "e\u0301" * 49,  # as many characters, once to_nfc
    ],
)
def test_these_are_hashtags(tag: str) -> None:
    assert is_hashtag(tag)


@pytest.mark.parametrize(
    "tag",
    [
        "",
        "#",
        "Bikinis",
        "##Bikinis",
        "#Baby Kids",
        "#Baby&",
        "#&Kids",
        "#Baby&&Kids",
        "#___",
        "#Baby&_",
        "#Baby-Kids",
        "#Baby.Kids",
        "#🩱",
        "#a\u200b",
        "#\u0301",
        "#a#b",
        "\uff03wide",
        " #Bikinis",
        "#Bikinis\n",
        "#" + "x" * 50,
    ],
)
def test_these_are_none(tag: str) -> None:
    assert not is_hashtag(tag)


def test_what_readers_take_for_the_same_is_the_same() -> None:
    assert folded("#BIKINIS") == folded("#bikinis")
    assert folded("#e\u0301t\u00e9") == folded("#\u00c9TE\u0301")
    assert folded("#Straße") == folded("#STRASSE")
    assert folded("#Bikini") != folded("#Bikinis")


@given(st.text(max_size=60))
def test_a_hashtag_is_one_word_to_everybody_who_reads_it(text: str) -> None:
    if is_hashtag(text):
        assert not any(one.isspace() or one in "\"'<>/\\,.;" for one in text)
        assert len(text.split()) == 1
