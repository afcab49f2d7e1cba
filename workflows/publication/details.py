"""What an operator reads of a publication in the Temporal UI: who must act, until when, and what
happens otherwise. Markdown; no personal data."""

from datetime import datetime

from workflows.publication.state import PublicationTerms, State


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


def _now(terms: PublicationTerms, state: State, *, is_late: bool) -> tuple[str, str]:
    match state, is_late:
        case State.PENDING, False:
            return (
                "The platform must bring the article to its readers",
                f"Until **{_shown(terms.due_time)}**; otherwise operators and the creator are told,"
                " and it goes on. An operator can stop it (WithdrawPublication).",
            )
        case State.PENDING, True:
            return (
                "Late: an operator must see what stands in the way",
                f"It was promised until **{_shown(terms.due_time)}**. The pending activity says"
                " what fails; it is tried again until it works, or an operator stops it"
                " (WithdrawPublication).",
            )
        case State.PUBLISHED, _:
            return "Published: nobody must act", "An operator can take it back."
        case _:
            return "Withdrawn by an operator: nobody must act", ""


def _shown(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S} UTC"
