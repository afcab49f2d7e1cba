"""Start of a payout, and when it needs a recall or an escalation. Pure."""

from datetime import datetime

from workflows.payout.model import PayoutTerms, Progress, State


def begin(terms: PayoutTerms, now: datetime) -> Progress:
    if terms.progress is not None:
        return terms.progress
    return Progress(State.FAILED if terms.is_restarted else State.RESERVED, 0, now)


def recall_time(terms: PayoutTerms, progress: Progress) -> datetime:
    """When unclaimed money is recalled."""
    return terms.claim_window.after(progress.since)


def due_time(terms: PayoutTerms, progress: Progress) -> datetime | None:
    """When the current state needs an action: unclaimed money is recalled, anything else is
    escalated to operators. None once it was escalated."""
    if progress.state is State.UNCLAIMED:
        return recall_time(terms, progress)
    if progress.is_escalated:
        return None
    if progress.state is State.BLOCKED:
        return progress.since
    return terms.escalation_window.after(progress.since)
