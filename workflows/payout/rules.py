"""The times at which a payout needs more than waiting. Pure."""

from datetime import datetime

from workflows.payout.model import PayoutTerms, Progress, State


def begin(terms: PayoutTerms, now: datetime) -> Progress:
    if terms.progress is not None:
        return terms.progress
    return Progress(State.FAILED if terms.is_restarted else State.RESERVED, 0, now)


def recall_time(terms: PayoutTerms, progress: Progress) -> datetime:
    """When what is unclaimed is taken back."""
    return terms.claim_window.after(progress.since)


def due_time(terms: PayoutTerms, progress: Progress) -> datetime | None:
    """When the payout may not go on as it does; None while that is for others to say. What is
    unclaimed is taken back, and what is under way or blocked is brought before an operator."""
    if progress.state is State.UNCLAIMED:
        return recall_time(terms, progress)
    if progress.is_escalated:
        return None
    if progress.state is State.BLOCKED:
        return progress.since
    return terms.escalation_window.after(progress.since)
