"""Work, reviews, expiry and cancellation."""

from datetime import datetime

from servicekit.errors import Reason
from tests.model.reference import clock_rules, refusals, transitions
from tests.model.reference.clock import ReferenceClock
from tests.model.reference.refusals import ILLEGAL, LEGAL
from tests.model.reference.state import OPEN_WORK, AssignmentState
from workflows.assignment.commands import (
    CommentOnExpiry,
    ReopenAssignment,
    RequestChanges,
    SubmitWork,
)
from workflows.assignment.model import (
    ClockKind,
    ConfirmedBy,
    Event,
    Fault,
    State,
)


def refuse_submission(a: AssignmentState, command: SubmitWork) -> set[Reason]:
    asked = set(a.terms.content_types)
    given = set(command.content_types) or asked
    is_all = a.terms.completion_rule == "ALL"
    incomplete = not given <= asked or (is_all and given != asked)
    nothing_written = "ARTICLE" in given and not command.article_ids
    unsealed = len(command.article_ids) != len(command.article_revisions)
    return (
        refusals.refuse_unless(a, *OPEN_WORK)
        | ({Reason.CONTENT_INCOMPLETE} if incomplete or nothing_written else LEGAL)
        | ({Reason.MEDIA_NOT_ACCEPTED} if unsealed else LEGAL)
    )


def submit(a: AssignmentState, command: SubmitWork) -> None:
    a.versions += 1
    a.state, was = State.IN_REVIEW, a.state
    clock_rules.start_review(a)
    transitions.add(a, Event.WORK_SUBMITTED, command.actor, was)


def refuse_changes(a: AssignmentState, command: RequestChanges) -> set[Reason]:
    reasons = refusals.refuse_unless(a, State.IN_REVIEW)
    if a.rounds >= a.terms.policy.max_revision_rounds:
        reasons = reasons | {Reason.REVISION_LIMIT_REACHED}
    if not set(command.requirement_ids) <= set(a.requirements.values()):
        reasons = reasons | {Reason.UNKNOWN_REQUIREMENT}
    return reasons


def request_changes(a: AssignmentState, command: RequestChanges) -> None:
    a.rounds += 1
    due = max(a.deadline, a.terms.policy.rework_window.after(a.now))
    a.state, was = State.CHANGES_REQUESTED, a.state
    clock_rules.start_creator_clock(a, ClockKind.REWORK, due)
    transitions.add(a, Event.CHANGES_REQUESTED, command.actor, was)


def approve(a: AssignmentState, by: ConfirmedBy, actor: str) -> None:
    a.confirmed_by = by
    a.payable_minor = a.terms.reward_minor
    a.state, was = State.APPROVED, a.state
    clock_rules.start_reward(a)
    if a.is_missed:
        clock_rules.await_reward(a, a.now)  # the agreed shipment date has passed: late at once
    transitions.add(a, Event.WORK_APPROVED, actor, was)


def refuse_comment(a: AssignmentState, _: CommentOnExpiry) -> set[Reason]:
    """The comment on an expiry is also accepted while a dispute is open."""
    is_owed = a.state is State.EXPIRED and not a.has_commented and not a.is_over
    return LEGAL if is_owed and (a.dispute or not a.is_late) else ILLEGAL


def comment(a: AssignmentState, command: CommentOnExpiry) -> None:
    a.has_commented = True
    if command.reason == "MATERIALS_NOT_PROVIDED":
        a.fault = Fault.BRAND
    transitions.add(a, Event.EXPIRY_COMMENTED, command.actor)


def refuse_reopening(a: AssignmentState, command: ReopenAssignment) -> set[Reason]:
    reasons = ILLEGAL if a.is_over else refusals.refuse_unless(a, State.EXPIRED)
    return reasons | refusals.refuse_past(a, command.deadline_time)


def reopen(a: AssignmentState, date: datetime, actor: str) -> None:
    a.deadline = date
    a.state, was = State.IN_PROGRESS, a.state
    reset_expiry(a)
    clock_rules.start_creator_clock(a, ClockKind.SUBMISSION, date)
    transitions.add(a, Event.REOPENED, actor, was)


def reset_expiry(a: AssignmentState) -> None:
    """A later expiry has its own fault and comment."""
    a.fault, a.has_commented = None, False


def return_to_review(a: AssignmentState, actor: str) -> None:
    a.state, was = State.IN_REVIEW, a.state
    clock_rules.start_review(a)
    transitions.add(a, Event.REWORK_LAPSED, actor, was)


def expire(a: AssignmentState, actor: str) -> None:
    a.state, was = State.EXPIRED, a.state
    a.fault = Fault.BRAND if a.is_missed else Fault.CREATOR
    a.has_commented = False
    due = a.terms.policy.reopen_window.after(a.now)
    a.clock = ReferenceClock(ClockKind.REOPEN, a.now, due)
    transitions.add(a, Event.EXPIRED, actor, was)


def cancel(a: AssignmentState, actor: str) -> None:
    a.state, was = State.CANCELLED, a.state
    a.clock = None
    transitions.add(a, Event.CANCELLED, actor, was)
