"""What is said about a dispute: notices to the people concerned, details to operators. Pure."""

from collections.abc import Collection
from datetime import datetime

from workflows.dispute.state import (
    Change,
    Clock,
    Decision,
    Dispute,
    Event,
    Outcome,
    State,
    next_clock,
)
from workflows.notices import MEDIATORS, OPERATORS, Notice

_OUTCOMES = {
    Outcome.PAY_IN_FULL: "the whole reward is paid",
    Outcome.PAY_PARTIAL: "a part of the reward is paid",
    Outcome.REDO: "the creator works on, until a new deadline",
    Outcome.CANCEL_WITHOUT_PAY: "the assignment ends without a reward",
    Outcome.DISMISS: "nothing changes",
}

_CLOCKS = {
    Clock.ANSWER_DUE: "the other side's time to answer ends, and the mediators are told",
    Clock.FIRST_REMINDER: "the mediators are reminded",
    Clock.LAST_REMINDER: "the mediators are reminded a last time",
    Clock.RESOLUTION_DUE: "the dispute is overdue, and the operators are told",
}


def notices_of(change: Change) -> list[Notice]:
    """Whom a change concerns, and what they are told."""
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
    due = in_words(dispute.resolution_due_time)
    texts = {
        Event.OPENED: f"{dispute.opener} opened a dispute over {assignment}, on the ground of"
        f" {dispute.ground}. A mediator decides until {due}. The other side may answer until"
        f" {in_words(dispute.answer_due_time)}.",
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
    return f"{_OUTCOMES[decision.outcome]}. {decision.reasoning}" if decision else ""


def _who_must_act(dispute: Dispute) -> str:
    if dispute.state is State.OPEN:
        return "No mediator has claimed it yet."
    return f"{dispute.mediator} is on it."


def details(dispute: Dispute, fired: Collection[Clock]) -> str:
    """For the Temporal UI, in Markdown: who must act, until when, what happens otherwise."""
    if dispute.decision is not None:
        outcome = dispute.decision.outcome
        return f"**Resolved** by {dispute.mediator}: {outcome} ({_OUTCOMES[outcome]})."
    if dispute.state is State.WITHDRAWN:
        return f"**Withdrawn** by {dispute.opener}."
    overdue = "**Overdue.** " if dispute.is_overdue else ""
    who, act = (
        ("A mediator", "claim the dispute and decide it")
        if dispute.state is State.OPEN
        else (dispute.mediator, "decide the dispute")
    )
    lines = [
        f"{overdue}**{who}** must {act}, until **{in_words(dispute.resolution_due_time)}**.",
        f"Over assignment `{dispute.assignment_id}`, opened by {dispute.opener}: {dispute.ground}.",
        f"Possible outcomes: {', '.join(dispute.allowed_outcomes)}.",
    ]
    if upcoming := next_clock(dispute, fired):
        clock, time = upcoming
        lines.append(f"Otherwise, at {in_words(time)}, {_CLOCKS[clock]}.")
    else:
        lines.append("No clock is left: it stays open until a mediator decides.")
    return "\n\n".join(lines)


def in_words(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S} UTC"
