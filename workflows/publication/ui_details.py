"""What operators read about a publication in the Temporal UI: who must act, until when, and what
happens otherwise. Markdown; no personal data."""

from workflows.formatting import to_the_second
from workflows.publication.model import FEED, PublicationTerms, State, WithdrawalTerms


def describe(terms: PublicationTerms, state: State, *, is_late: bool) -> str:
    headline, otherwise = _now(terms, state, is_late=is_late)
    return "\n".join(
        [
            f"**{headline}**",
            "",
            otherwise,
            "",
            f"- `publications/{terms.publication_id}` of `creators/{terms.creator_id}`",
            f"- written for `brands/{terms.brand_id}`" if terms.brand_id else "- a post of its own",
            f"- channel `{terms.channel}`",
        ]
    )


def describe_withdrawal(terms: WithdrawalTerms, *, is_done: bool) -> str:
    return "\n".join(
        [
            f"**{_withdrawal_headline(terms, is_done=is_done)}**",
            "",
            "" if is_done else "Tried until it works; the pending activity says what fails.",
            "",
            f"- `publications/{terms.publication_id}` of `creators/{terms.creator_id}`",
            f"- channel `{terms.channel}`",
        ]
    )


def _withdrawal_headline(terms: WithdrawalTerms, *, is_done: bool) -> str:
    match terms.channel == FEED, is_done:
        case True, False:
            return "The platform must take the article and its pictures from its readers"
        case True, True:
            return "Readers get nothing of it any more: nobody must act"
        case False, False:
            return "The platform must stop the post on its way to the network"
        case _:
            return "Stopped, unless the network had it already and keeps it: nobody must act"


def _now(terms: PublicationTerms, state: State, *, is_late: bool) -> tuple[str, str]:
    due = to_the_second(terms.due_time)
    match state, is_late:
        case State.PENDING, False:
            return (
                "The platform must bring the article to its readers",
                f"Until **{due}**; otherwise operators and the creator are notified,"
                " and delivery goes on. An operator can stop it (WithdrawPublication).",
            )
        case State.PENDING, True:
            return (
                "Late: an operator must see what stands in the way",
                f"It was promised until **{due}**. The pending activity says"
                " what fails; it is tried again until it works, or an operator stops it"
                " (WithdrawPublication).",
            )
        case State.PUBLISHED, _:
            # Nothing is added here when it is withdrawn later: this has ended.
            return (
                "It came to its readers: nobody must act",
                f"If it was withdrawn after that, `withdrawal/{terms.publication_id}` tells it."
                if terms.channel == FEED
                else "The network keeps what it was given.",
            )
        case _:
            return "Withdrawn by an operator: nobody must act", ""
