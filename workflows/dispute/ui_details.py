"""What operators read about a dispute in the Temporal UI: who must act, until when, and what
happens otherwise. Markdown; no personal data. Pure."""

from collections.abc import Collection

from workflows.dispute.model import Clock, Dispute, State
from workflows.dispute.notices import OUTCOME_TEXTS
from workflows.dispute.rules import next_clock
from workflows.formatting import to_the_second

_CLOCKS = {
    Clock.ANSWER_DUE: "the other side's time to answer ends, and the mediators are notified",
    Clock.FIRST_REMINDER: "the mediators are reminded",
    Clock.LAST_REMINDER: "the mediators are reminded a last time",
    Clock.RESOLUTION_DUE: "the dispute is overdue, and the operators are notified",
}


def describe(dispute: Dispute, fired: Collection[Clock]) -> str:
    """`fired` are the clocks that have run out."""
    if dispute.decision is not None:
        outcome = dispute.decision.outcome
        return f"**Resolved** by {dispute.mediator}: {outcome} ({OUTCOME_TEXTS[outcome]})."
    if dispute.state is State.WITHDRAWN:
        return f"**Withdrawn** by {dispute.opener}."
    overdue = "**Overdue.** " if dispute.is_overdue else ""
    who, act = (
        ("A mediator", "claim the dispute and decide it")
        if dispute.state is State.OPEN
        else (dispute.mediator, "decide the dispute")
    )
    lines = [
        f"{overdue}**{who}** must {act}, until **{to_the_second(dispute.resolution_due_time)}**.",
        f"Over assignment `{dispute.assignment_id}`, opened by {dispute.opener}: {dispute.ground}.",
        f"Possible outcomes: {', '.join(dispute.allowed_outcomes)}.",
    ]
    if upcoming := next_clock(dispute, fired):
        clock, time = upcoming
        lines.append(f"Otherwise, at {to_the_second(time)}, {_CLOCKS[clock]}.")
    else:
        lines.append("No clock is left: it stays open until a mediator decides.")
    return "\n\n".join(lines)
