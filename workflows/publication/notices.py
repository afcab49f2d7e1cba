"""Notices about publications: recipients and texts. Pure.

Brands are notified about the feed, where the work that they ordered is published; posts to social
networks concern only the creator.
"""

from collections.abc import Iterator

from workflows.notices import OPERATORS, Notice, as_sentence
from workflows.publication.model import FEED, PublicationTerms, WithdrawalTerms

_NETWORKS = {
    "FACEBOOK": "Facebook",
    "INSTAGRAM": "Instagram",
    "PINTEREST": "Pinterest",
    "VK": "VK",
    "X": "X",
}


def published(terms: PublicationTerms, url: str) -> list[Notice]:
    if terms.channel == FEED:
        texts = {
            "creator": f"Your article is published: {url}",
            "brand": f"The article that was written for you is published: {url}",
        }
    else:
        texts = {"creator": f"Your article is posted to {_network(terms.channel)}: {url}"}
    return list(_notices(terms, "PUBLISHED", texts))


def posted_despite_withdrawal(terms: PublicationTerms | WithdrawalTerms, url: str) -> list[Notice]:
    """For a post that the network accepted while it was being withdrawn."""
    network = _network(terms.channel)
    text = (
        f"Your article was posted to {network} before it could be stopped, and stays there: {url}"
    )
    return list(_notices(terms, "POSTED_ALL_THE_SAME", {"creator": text}))


def overdue(terms: PublicationTerms) -> list[Notice]:
    """Also to operators, who can do something about it."""
    where = "published" if terms.channel == FEED else f"posted to {_network(terms.channel)}"
    texts = {
        "creator": f"Your article is not {where} yet, though it should be by now. The platform goes"
        " on trying; you need not do anything.",
        OPERATORS: f"An article is not {where} in time. It is tried again until it is there:"
        " please see what stands in its way.",
    }
    return list(_notices(terms, "OVERDUE", texts))


def withdrawn(terms: WithdrawalTerms) -> list[Notice]:
    reason = as_sentence(terms.reason)
    if terms.channel != FEED:
        network = _network(terms.channel)
        # Also true of a post that the network accepted first; a second notice says so.
        texts = {
            "creator": f"The platform has withdrawn your article on its way to {network}: {reason}"
        }
    elif terms.was_published:
        texts = {
            "creator": f"The platform has withdrawn your article: {reason} What was posted to"
            " social networks stays there.",
            "brand": f"The platform has withdrawn the article that was written for you: {reason}",
        }
    else:
        texts = {
            "creator": f"The platform does not publish your article: {reason}",
            "brand": "The platform does not publish the article that was written for you:"
            f" {reason}",
        }
    return list(_notices(terms, "WITHDRAWN", texts))


def _network(channel: str) -> str:
    return _NETWORKS.get(channel, channel)


def _notices(
    terms: PublicationTerms | WithdrawalTerms, event: str, texts: dict[str, str]
) -> Iterator[Notice]:
    recipients = {
        "creator": f"creators/{terms.creator_id}",
        "brand": f"brands/{terms.brand_id}" if terms.brand_id else "",
    }
    for role, text in texts.items():
        if recipient := recipients.get(role, role):
            yield Notice(
                recipient=recipient,
                event=f"PUBLICATION_{event}",
                subject=f"publications/{terms.publication_id}",
                text=text,
                deduplication_id=f"publication/{terms.publication_id}/{event}/{recipient}",
            )
