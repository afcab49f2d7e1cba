"""What an operator reads of an assignment in the Temporal UI: who must act, until when, and what
happens otherwise. Markdown; no personal data."""

from workflows.assignment.model import Assignment, Clock, ClockKind, State
from workflows.policy import ReviewSilence


def describe(a: Assignment) -> str:
    lines = [f"**{_headline(a)}**", ""]
    if a.open_dispute_id:
        lines.append(f"A mediator must decide `disputes/{a.open_dispute_id}`.")
    if a.clock is not None:
        lines.append(_sentence(a, a.clock))
    lines += [
        "",
        f"- task `tasks/{a.terms.task_id}` of `{a.brand}`, done by `{a.creator}`",
        f"- {len(a.submissions)} version(s) submitted, {len(a.change_requests)} of"
        f" {a.policy.max_revision_rounds} rounds of changes used",
        f"- policy `{a.policy.name}`, transition {a.sequence}",
    ]
    return "\n".join(lines)


def _headline(a: Assignment) -> str:
    headlines = {
        State.IN_PROGRESS: "The creator works on the task",
        State.IN_REVIEW: "The brand must review the work",
        State.CHANGES_REQUESTED: "The creator must rework what the brand asked to change",
        State.APPROVED: (
            "The work is approved, and its reward is OVERDUE"
            if a.reward_is_overdue
            else "The work is approved: the platform must send the reward"
        ),
        State.REWARDED: "The reward is sent: nobody must act",
        State.COMPLETED: "Completed: nobody must act",
        State.EXPIRED: (
            "Expired: nobody must act"
            if a.expiry_comment
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
        ClockKind.REWORK: "otherwise the last version goes back to review",
        ClockKind.REWARD: "otherwise the reward is overdue and the creator may dispute",
        ClockKind.COMPLETION: "then the assignment is completed without anyone acting",
        ClockKind.REOPEN: "then the assignment is closed for good",
        ClockKind.DISPUTE_WINDOW: "then no dispute can be opened any more",
    }[clock.kind]
    if clock.held_time is not None:
        return f"The {clock.kind} clock is held with {clock.due_time - clock.held_time} left."
    return f"Until **{clock.due_time:%Y-%m-%d %H:%M:%S} UTC**; {otherwise}."
