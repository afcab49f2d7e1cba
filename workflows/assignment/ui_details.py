"""What operators read about an assignment in the Temporal UI: who must act, until when, and what
happens otherwise. Markdown; no personal data."""

from workflows.assignment.model import (
    Assignment,
    Clock,
    ClockKind,
    Holder,
    ProposalState,
    State,
)
from workflows.assignment.rules.rewards import shipment_time
from workflows.assignment.rules.submissions import next_time
from workflows.assignment.rules.transitions import is_over
from workflows.formatting import to_the_second
from workflows.policy import ReviewSilence


def describe(a: Assignment) -> str:
    lines = [f"**{_headline(a)}**", ""]
    if a.open_dispute_id:
        lines.append(f"A mediator must decide `disputes/{a.open_dispute_id}`.")
    if a.clock is not None:
        lines.append(_sentence(a, a.clock))
    elif a.state is State.APPROVED:
        lines.append(_without_a_clock(a))
    if _is_held(a):
        lines.append("The payout is held by the brand's dispute, until that is over.")
    lines += _proposals(a)
    if due_time := shipment_time(a):
        lines.append(f"The brand must ship the product until **{to_the_second(due_time)}**.")
    lines += [
        "",
        f"- task `tasks/{a.terms.task_id}` of `{a.brand}`, done by `{a.creator}`",
        f"- {len(a.submissions)} version(s) submitted, {len(a.change_requests)} of"
        f" {a.policy.max_revision_rounds} rounds of changes used",
        f"- policy `{a.policy.name}`, transition {a.sequence}",
    ]
    return "\n".join(lines)


def next_clock(a: Assignment) -> str:
    """The summary of the running timer."""
    due_time = next_time(a)
    if due_time is None:
        return "Notices wait"
    is_shipment = a.clock is None or a.clock.next_time != due_time
    return "SHIPMENT clock" if is_shipment or a.clock is None else f"{a.clock.kind} clock"


def _proposals(a: Assignment) -> list[str]:
    return [
        f"Proposal {one.number} ({one.kind}) of `{one.proposer}` waits for the other side."
        for one in a.proposals
        if one.state is ProposalState.PENDING
    ]


def _is_held(a: Assignment) -> bool:
    return a.state is State.APPROVED and a.has_payout and a.payout_is_held


def _without_a_clock(a: Assignment) -> str:
    """For an overdue reward, or one whose payout failed after that."""
    if a.is_for_product:
        act = "The brand must still ship the product"
    elif _is_held(a):
        act = "The platform pays once the dispute is over"
    else:
        act = "The platform goes on trying to pay, and an operator can retry it (RETRY_REWARD)"
    dispute = "" if a.open_dispute_id else "; the creator may open a dispute"
    return f"No clock runs. {act}{dispute}."


def _headline(a: Assignment) -> str:
    sender = "the brand" if a.is_for_product else "the platform"
    headlines = {
        State.IN_PROGRESS: "The creator works on the task",
        State.IN_REVIEW: "The brand must review the work",
        State.CHANGES_REQUESTED: "The creator must rework what the brand asked to change",
        State.APPROVED: (
            "The work is approved, and its reward is OVERDUE"
            if a.reward_is_overdue
            else "The work is approved, and a mediator must decide before its reward is paid"
            if _is_held(a)
            else f"The work is approved: {sender} must send the reward"
        ),
        State.REWARDED: (
            "The product is sent: the creator acknowledges it when it arrives"
            if a.is_for_product
            else "The reward is sent: nobody must act, unless its payout says so"
        ),
        State.COMPLETED: "Completed: nobody must act",
        State.EXPIRED: (
            "Expired: nobody must act"
            if a.expiry_comment or is_over(a)
            else "Expired: the creator must say why the task was not completed"
        ),
        State.CANCELLED: "Cancelled: nobody must act",
    }
    return headlines[a.state]


def _sentence(a: Assignment, clock: Clock) -> str:
    silence = (
        "the work is approved in the brand's name"
        if a.policy.review_silence is ReviewSilence.AUTO_APPROVE
        else "a mediator is asked"
    )
    otherwise = {
        ClockKind.SUBMISSION: "otherwise the assignment expires",
        ClockKind.REVIEW: f"otherwise {silence}",
        ClockKind.REWORK: (
            "otherwise the last version goes back to review"
            if a.submissions
            else "otherwise the assignment expires"
        ),
        ClockKind.REWARD: "otherwise the reward is overdue and the creator may dispute",
        ClockKind.COMPLETION: "then the assignment is completed without anyone acting",
        ClockKind.REOPEN: "then the assignment is closed for good",
        ClockKind.DISPUTE_WINDOW: "then no dispute can be opened any more",
    }[clock.kind]
    if clock.held_time is not None:
        holders = " and ".join(_HOLDERS[holder] for holder in clock.holders)
        left = clock.due_time - clock.held_time
        return f"The {clock.kind} clock is held by {holders} with {left} left."
    return f"Until **{to_the_second(clock.due_time)}**; {otherwise}."


_HOLDERS = {
    Holder.DISPUTE: "the dispute",
    Holder.MISSED_SHIPMENT: "a product that the brand has not sent in time",
}
