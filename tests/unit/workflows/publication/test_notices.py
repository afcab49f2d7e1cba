"""Notices of a publication."""

from datetime import UTC, datetime

import pytest

from workflows.publication import notices
from workflows.publication.model import PublicationTerms, State, WithdrawalTerms
from workflows.publication.ui_details import describe, describe_withdrawal

DUE = datetime(2026, 3, 2, 12, tzinfo=UTC)
URL = "https://media.example.com/articles/a1/r1.json"


def terms(channel: str = "FEED", brand: str = "acme") -> PublicationTerms:
    return PublicationTerms("a1-feed", "bea", brand, channel, DUE)


def withdrawal(channel: str = "FEED", *, was_published: bool = True) -> WithdrawalTerms:
    return WithdrawalTerms("a1-feed", "bea", "acme", channel, "A complaint", was_published)


def test_creator_and_brand_are_notified_of_the_url() -> None:
    sent = notices.published(terms(), URL)
    assert [notice.recipient for notice in sent] == ["creators/bea", "brands/acme"]
    assert all(URL in notice.text for notice in sent)
    assert len({notice.deduplication_id for notice in sent}) == 2
    assert {notice.subject for notice in sent} == {"publications/a1-feed"}


def test_a_post_of_its_own_and_one_on_a_network_are_the_creators_affair() -> None:
    assert [one.recipient for one in notices.published(terms(brand=""), URL)] == ["creators/bea"]
    (notice,) = notices.published(terms("VK"), URL)
    assert notice.text == f"Your article is posted to VK: {URL}"
    assert [one.recipient for one in notices.overdue(terms("X"))] == [
        "creators/bea",
        "staff/operators",
    ]


@pytest.mark.parametrize(
    ("of", "recipients", "words"),
    [
        (withdrawal(), 2, "What was posted to social networks stays there."),
        (withdrawal(was_published=False), 2, "does not publish your article: A complaint."),
        (
            withdrawal("PINTEREST"),
            1,
            "withdrawn your article on its way to Pinterest: A complaint.",
        ),
    ],
)
def test_a_withdrawal_is_notified_with_its_reason(
    of: WithdrawalTerms, recipients: int, words: str
) -> None:
    sent = notices.withdrawn(of)
    assert len(sent) == recipients
    assert words in sent[0].text
    assert all("A complaint." in notice.text for notice in sent)


def test_a_post_made_despite_its_withdrawal_is_notified() -> None:
    (notice,) = notices.posted_despite_withdrawal(withdrawal("VK"), "https://vk.example/1")
    assert notice.recipient == "creators/bea"
    assert "posted to VK before it could be stopped" in notice.text
    assert notice.deduplication_id != notices.withdrawn(withdrawal("VK"))[0].deduplication_id


@pytest.mark.parametrize(
    ("channel", "is_done", "words"),
    [
        ("FEED", False, "must take the article and its pictures from its readers"),
        ("FEED", True, "Readers get nothing of it any more: nobody must act"),
        ("VK", False, "must stop the post"),
        ("VK", True, "unless the network had it already and keeps it: nobody must act"),
    ],
)
def test_operators_read_how_far_a_withdrawal_is(channel: str, is_done: bool, words: str) -> None:
    text = describe_withdrawal(withdrawal(channel), is_done=is_done)
    assert words in text
    assert ("nobody must act" in text) == is_done


def test_details_of_a_published_article_name_its_withdrawal() -> None:
    text = describe(terms(), State.PUBLISHED, is_late=False)
    assert "`withdrawal/a1-feed`" in text
    assert "keeps what it was given" in describe(terms("VK"), State.PUBLISHED, is_late=False)


@pytest.mark.parametrize("state", list(State))
@pytest.mark.parametrize("is_late", [False, True])
def test_operators_read_who_must_act(state: State, is_late: bool) -> None:
    text = describe(terms(), state, is_late=is_late)
    assert ("nobody must act" in text) == (state is not State.PENDING)
    assert ("2026-03-02 12:00:00 UTC" in text) == (state is State.PENDING)
    assert ("WithdrawPublication" in text) == (state is State.PENDING)
