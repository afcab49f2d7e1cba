"""Start, submission, review and expiry of an assignment, and what its clocks do. Pure.

Each command checks that it is legal, changes the assignment and returns the transition. A refusal
leaves the assignment unchanged.
"""

from datetime import datetime

from servicekit.errors import FailedPrecondition, Reason, illegal_state
from workflows.assignment.commands import (
    ApproveWork,
    CommentOnExpiry,
    OpenDispute,
    ReopenAssignment,
    RequestChanges,
    SubmitWork,
)
from workflows.assignment.model import (
    SYSTEM,
    Assignment,
    ChangeRequest,
    Clock,
    ClockKind,
    ConfirmedBy,
    Event,
    ExpiryComment,
    Fault,
    State,
    Submission,
    Terms,
    Transition,
)
from workflows.assignment.rules import disputes, rewards, transitions
from workflows.assignment.rules.transitions import require, step
from workflows.dispute.model import Dispute, Ground
from workflows.policy import ReviewSilence


def start(id: str, creator_id: str, terms: Terms, now: datetime) -> tuple[Assignment, Transition]:  # noqa: A002 - the domain's word
    assignment = Assignment(
        id=id,
        creator_id=creator_id,
        terms=terms,
        create_time=now,
        update_time=now,
        submission_deadline_time=terms.submission_deadline_time,
        clock=Clock(ClockKind.SUBMISSION, terms.submission_deadline_time),
        requirements=list(terms.requirements),
    )
    transition = Transition(
        1, Event.CREATOR_SELECTED, None, State.IN_PROGRESS, assignment.brand, "", now
    )
    assignment.sequence = 1
    return assignment, transition


def submit_new_work(a: Assignment, command: SubmitWork, now: datetime) -> Transition:
    """`submit_work` with the checks for new submissions. Recorded histories contain work from
    before there were articles, so those checks run in the validator only.

    Raises:
        FailedPrecondition: as `submit_work`; or an article is due and none is named, or a named one
            is not sealed.
    """
    require(a, now, "SubmitWork", *transitions.WORKING)
    _require_articles(_delivered(a.terms, command), command)
    return submit_work(a, command, now)


def submit_work(a: Assignment, command: SubmitWork, now: datetime) -> Transition:
    """
    Raises:
        FailedPrecondition: not legal in this state, or the content types are not those that the
            task asks for.
    """
    require(a, now, "SubmitWork", *transitions.WORKING)
    content_types = _delivered(a.terms, command)
    version = len(a.submissions) + 1
    a.submissions.append(
        Submission(
            version,
            command.note,
            command.media_object_ids,
            command.links,
            now,
            command.article_ids,
            content_types,
            command.article_revisions,
        )
    )
    a.clock = transitions.review_clock(a, now)
    return step(a, Event.WORK_SUBMITTED, State.IN_REVIEW, command.actor, now, f"v{version}")


def _delivered(terms: Terms, command: SubmitWork) -> list[str]:
    """The content types of a version. The task asks for ALL of its types or for ANY (R18)."""
    delivered = command.content_types or terms.content_types
    unknown = [one for one in delivered if one not in terms.content_types]
    missing = [one for one in terms.content_types if one not in delivered]
    if unknown or (missing and terms.completion_rule == "ALL"):
        problem, types = ("unknown", unknown) if unknown else ("missing", missing)
        raise FailedPrecondition(
            Reason.CONTENT_INCOMPLETE,
            f"The task asks for {terms.completion_rule} of {', '.join(terms.content_types)};"
            f" {problem}: {', '.join(types)}",
            metadata={problem: ",".join(types)},
        )
    return delivered


def _require_articles(delivered: list[str], command: SubmitWork) -> None:
    if "ARTICLE" in delivered and not command.article_ids:
        raise FailedPrecondition(
            Reason.CONTENT_INCOMPLETE,
            "An ARTICLE is delivered by its name: write one for this assignment with CreateArticle"
            " and name it in submission.articles",
            metadata={"missing": "articles"},
        )
    if len(command.article_revisions) != len(command.article_ids):
        raise FailedPrecondition(
            Reason.MEDIA_NOT_ACCEPTED,
            "Only articles of your own that are valid can be submitted",
            metadata={"articles": ",".join(f"articles/{id_}" for id_ in command.article_ids)},
        )


def request_changes(a: Assignment, command: RequestChanges, now: datetime) -> Transition:
    """
    Raises:
        FailedPrecondition: nothing is in review, both rounds are used, or a cited requirement is
            none of the assignment's.
    """
    require(a, now, "RequestChanges", State.IN_REVIEW)
    if len(a.change_requests) >= a.policy.max_revision_rounds:
        raise FailedPrecondition(
            Reason.REVISION_LIMIT_REACHED,
            f"{a.policy.max_revision_rounds} rounds of changes were requested already:"
            " approve the work or open a dispute",
            metadata={"rounds": str(len(a.change_requests))},
        )
    known = {requirement.id for requirement in a.requirements}
    if unknown := [id_ for id_ in command.requirement_ids if id_ not in known]:
        raise FailedPrecondition(
            Reason.UNKNOWN_REQUIREMENT,
            f"The assignment has no requirement {', '.join(unknown)}",
            metadata={"requirement_ids": ",".join(unknown)},
        )
    a.change_requests.append(
        ChangeRequest(len(a.change_requests) + 1, command.comment, command.requirement_ids, now)
    )
    due_time = max(a.policy.rework_window.after(now), a.submission_deadline_time or now)
    a.clock = transitions.creator_clock(a, ClockKind.REWORK, due_time, now)
    return step(
        a, Event.CHANGES_REQUESTED, State.CHANGES_REQUESTED, command.actor, now, command.comment
    )


def approve_work(a: Assignment, command: ApproveWork, now: datetime) -> Transition:
    require(a, now, "ApproveWork", State.IN_REVIEW)
    return transitions.approve(a, ConfirmedBy.BRAND, command.actor, now)


def comment_on_expiry(a: Assignment, command: CommentOnExpiry, now: datetime) -> Transition:
    """MATERIALS_NOT_PROVIDED makes it the brand's fault (R44). Also legal during a dispute, since
    the comment is owed."""
    if a.open_dispute_id:
        transitions.require_state(a, "CommentOnExpiry", State.EXPIRED)
    else:
        require(a, now, "CommentOnExpiry", State.EXPIRED)
    if a.expiry_comment is not None:
        raise illegal_state(a.name, a.state, "CommentOnExpiry", detail="and commented on")
    transitions.require_not_over(a, "CommentOnExpiry")
    a.expiry_comment = ExpiryComment(command.reason, command.comment, now)
    if command.reason == "MATERIALS_NOT_PROVIDED":
        a.fault = Fault.BRAND
    return step(a, Event.EXPIRY_COMMENTED, a.state, command.actor, now, command.reason)


def reopen_assignment(a: Assignment, command: ReopenAssignment, now: datetime) -> Transition:
    """
    Raises:
        FailedPrecondition: it has not expired or its time is over, or the new deadline has passed.
    """
    require(a, now, "ReopenAssignment", State.EXPIRED)
    transitions.require_not_over(a, "ReopenAssignment")
    if command.deadline_time <= now:
        raise FailedPrecondition(
            Reason.DEADLINE_NOT_LATER, "The new deadline must be in the future"
        )
    return transitions.reopen(a, command.deadline_time, command.actor, now, command.comment)


def next_time(a: Assignment) -> datetime | None:
    """When the next clock fires."""
    times = (a.clock.next_time if a.clock else None, rewards.shipment_time(a))
    return min((time for time in times if time is not None), default=None)


def elapse(a: Assignment, now: datetime) -> list[tuple[Transition, Dispute | None]]:
    """Fires all clocks that are due, with the disputes that they open. Commands call it first,
    since timers fire late after the worker was down."""
    happened: list[tuple[Transition, Dispute | None]] = []
    while (due_time := next_time(a)) is not None and due_time <= now:
        transition, order = fire(a, now)
        dispute = None
        if order is not None:
            dispute, transition = disputes.open_dispute(a, order, now)
        while transition is not None:
            happened.append((transition, dispute))
            transition, dispute = rewards.follow_up(a, now), None
    return happened


def fire(a: Assignment, now: datetime) -> tuple[Transition | None, OpenDispute | None]:
    """Fires the clock that is due: a transition, or a dispute to open."""
    due_time = next_time(a)
    if due_time is None or due_time > now:
        return None, None
    if rewards.shipment_time(a) == due_time:
        return rewards.miss_shipment(a, now), None
    clock = a.clock
    if clock is None:
        return None, None
    if clock.reminder_times:
        clock.reminder_times.pop(0)
        return step(a, Event.REVIEW_REMINDED, a.state, SYSTEM, now), None
    a.clock = None
    if clock.kind is ClockKind.REVIEW and a.policy.review_silence is ReviewSilence.ESCALATE:
        return None, _escalation(a, now)
    return _run_out(a, clock.kind, now), None


def _escalation(a: Assignment, now: datetime) -> OpenDispute:
    """Restarts the review clock, which the dispute then holds; it runs if the dispute is
    dismissed."""
    a.clock = transitions.review_clock(a, now)
    return OpenDispute(
        f"{a.id}-review-{a.sequence}",
        Ground.REVIEW_SILENCE,
        "The brand did not review the work in time",
        SYSTEM,
    )


def _run_out(a: Assignment, clock: ClockKind, now: datetime) -> Transition:
    match clock:
        case ClockKind.REVIEW:
            return transitions.approve(
                a, ConfirmedBy.SYSTEM, SYSTEM, now, "the time to review is over"
            )
        case ClockKind.REWORK if a.submissions:
            return transitions.return_to_review(a, SYSTEM, now)
        case ClockKind.SUBMISSION | ClockKind.REWORK:
            return transitions.expire(a, SYSTEM, now)
        case ClockKind.REWARD:
            a.reward_is_overdue = True
            return step(a, Event.REWARD_OVERDUE, a.state, SYSTEM, now)
        case ClockKind.COMPLETION:
            return transitions.complete(a, SYSTEM, now)
        case ClockKind.REOPEN | ClockKind.DISPUTE_WINDOW:
            return step(a, Event.CLOSED, a.state, SYSTEM, now)
