"""What people and operators are told of a publication."""

from datetime import UTC, datetime

import pytest

from workflows.publication import notices
from workflows.publication.details import describe
from workflows.publication.state import PublicationTerms, State, WithdrawalTerms

DUE = datetime(2026, 3, 2, 12, tzinfo=UTC)
URL = "https://media.example.com/articles/a1/r1.json"


def terms(channel: str = "FEED", brand: str = "acme") -> PublicationTerms:
    return PublicationTerms("a1-feed", "bea", brand, channel, DUE)


def withdrawal(channel: str = "FEED", *, was_published: bool = True) -> WithdrawalTerms:
    return WithdrawalTerms("a1-feed", "bea", "acme", channel, "A complaint", was_published)


def test_creator_and_brand_read_where_it_is() -> None:
    told = notices.published(terms(), URL)
    assert [notice.recipient for notice in told] == ["creators/bea", "brands/acme"]
    assert all(URL in notice.text for notice in told)
    assert len({notice.deduplication_id for notice in told}) == 2
    assert {notice.subject for notice in told} == {"publications/a1-feed"}


def test_a_post_of_its_own_and_one_on_a_network_are_the_creators_affair() -> None:
    assert [one.recipient for one in notices.published(terms(brand=""), URL)] == ["creators/bea"]
    (told,) = notices.published(terms("VK"), URL)
    assert told.text == f"Your article is posted to VK: {URL}"
    assert [one.recipient for one in notices.overdue(terms("X"))] == [
        "creators/bea",
        "staff/operators",
    ]


@pytest.mark.parametrize(
    ("of", "recipients", "words"),
    [
        (withdrawal(), 2, "What was posted to social networks stays there."),
        (withdrawal(was_published=False), 2, "does not publish your article: A complaint."),
        (withdrawal("PINTEREST"), 1, "not posted to Pinterest any more: A complaint."),
    ],
)
def test_a_withdrawal_is_told_with_its_reason(
    of: WithdrawalTerms, recipients: int, words: str
) -> None:
    told = notices.withdrawn(of)
    assert len(told) == recipients
    assert words in told[0].text
    assert all("A complaint." in notice.text for notice in told)


@pytest.mark.parametrize("state", list(State))
@pytest.mark.parametrize("is_late", [False, True])
def test_operators_read_who_must_act(state: State, is_late: bool) -> None:
    text = describe(terms(), state, is_late=is_late)
    assert ("nobody must act" in text) == (state is not State.PENDING)
    assert ("2026-03-02 12:00:00 UTC" in text) == (state is State.PENDING)
    assert ("WithdrawPublication" in text) == (state is State.PENDING)
