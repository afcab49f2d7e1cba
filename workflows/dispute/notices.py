"""Notices about a dispute: who gets which text. Pure."""

from workflows.dispute.model import Change, Decision, Dispute, Event, Outcome, State
from workflows.formatting import to_the_second
from workflows.notices import MEDIATORS, OPERATORS, Notice

OUTCOME_TEXTS = {
    Outcome.PAY_IN_FULL: "the whole reward is paid",
    Outcome.PAY_PARTIAL: "a part of the reward is paid",
    Outcome.REDO: "the creator works on, until a new deadline",
    Outcome.CANCEL_WITHOUT_PAY: "the assignment ends without a reward",
    Outcome.DISMISS: "nothing changes",
}


def notices_of(change: Change) -> list[Notice]:
    """One notice per recipient of a change."""
    dispute = change.dispute
    sides = [f"brands/{dispute.brand_id}", f"creators/{dispute.creator_id}"]
    recipients = {
        Event.OPENED: [*sides, MEDIATORS],
        Event.CLAIMED: sides,
        Event.DECIDED: [*sides, MEDIATORS],
        Event.WITHDRAWN: [*sides, MEDIATORS],
        Event.ANSWER_DUE: [MEDIATORS],
        Event.REMINDED: [MEDIATORS],
        Event.OVERDUE: [MEDIATORS, OPERATORS],
    }[change.event]
    text = _text(change)
    return [
        Notice(
            recipient=recipient,
            event=f"DISPUTE_{change.event}",
            subject=dispute.name,
            text=text,
            deduplication_id=f"dispute/{dispute.id}/{dispute.sequence}/{recipient}",
        )
        for recipient in recipients
    ]


def _text(change: Change) -> str:
    dispute = change.dispute
    assignment = f"assignments/{dispute.assignment_id}"
    due = to_the_second(dispute.resolution_due_time)
    texts = {
        Event.OPENED: f"{dispute.opener} opened a dispute over {assignment}, on the ground of"
        f" {dispute.ground}. A mediator decides until {due}. The other side may answer until"
        f" {to_the_second(dispute.answer_due_time)}.",
        Event.CLAIMED: f"{dispute.mediator} looks into the dispute over {assignment} and decides"
        f" until {due}.",
        Event.DECIDED: f"{dispute.mediator} decided the dispute over {assignment}:"
        f" {_decision_text(dispute.decision)}",
        Event.WITHDRAWN: f"{dispute.opener} took the dispute over {assignment} back.",
        Event.ANSWER_DUE: f"The other side's time to answer the dispute over {assignment} is over.",
        Event.REMINDED: f"The dispute over {assignment} is to be decided until {due}."
        f" {_who_must_act(dispute)}",
        Event.OVERDUE: f"The dispute over {assignment} was to be decided until {due}, and is not."
        f" {_who_must_act(dispute)}",
    }
    return texts[change.event]


def _decision_text(decision: Decision | None) -> str:
    return f"{OUTCOME_TEXTS[decision.outcome]}. {decision.reasoning}" if decision else ""


def _who_must_act(dispute: Dispute) -> str:
    if dispute.state is State.OPEN:
        return "No mediator has claimed it yet."
    return f"{dispute.mediator} is on it."
