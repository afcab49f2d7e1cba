"""Every rule of an assignment's life: pure. No SDK, no clock, no I/O.

A command checks that it is legal, changes the assignment and answers with the transition that says
so; a refusal leaves everything as it was. The workflow holds the clocks and calls what is here.
"""

from datetime import datetime, timedelta

from servicekit.errors import FailedPrecondition, Reason, illegal_state
from workflows.assignment.model import (
    SYSTEM,
    ApproveWork,
    Assignment,
    ChangeRequest,
    Clock,
    ClockKind,
    CommentOnExpiry,
    ConfirmedBy,
    Event,
    ExpiryComment,
    Holder,
    OpenDispute,
    RequestChanges,
    State,
    Submission,
    SubmitWork,
    Terms,
    Transition,
)
from workflows.dispute.state import Decision, Dispute, Ground, Outcome
from workflows.policy import ReviewSilence

# Opening a dispute holds these; the reward's clock runs on (R51).
_HELD_BY_DISPUTE = {ClockKind.SUBMISSION, ClockKind.REVIEW, ClockKind.REWORK}


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


def submit_work(a: Assignment, command: SubmitWork, now: datetime) -> Transition:
    _require(a, now, "SubmitWork", State.IN_PROGRESS, State.CHANGES_REQUESTED)
    version = len(a.submissions) + 1
    a.submissions.append(
        Submission(version, command.note, command.media_object_ids, command.links, now)
    )
    a.clock = _review_clock(a, now)
    return _step(a, Event.WORK_SUBMITTED, State.IN_REVIEW, command.actor, now, f"v{version}")


def request_changes(a: Assignment, command: RequestChanges, now: datetime) -> Transition:
    _require(a, now, "RequestChanges", State.IN_REVIEW)
    if len(a.change_requests) >= a.policy.max_revision_rounds:
        raise FailedPrecondition(
            Reason.REVISION_LIMIT_REACHED,
            f"{a.policy.max_revision_rounds} rounds of changes were requested already:"
            " approve the work or open a dispute",
            metadata={"rounds": str(len(a.change_requests))},
        )
    known = {requirement.id for requirement in a.terms.requirements}
    if unknown := [id_ for id_ in command.requirement_ids if id_ not in known]:
        raise FailedPrecondition(
            Reason.UNKNOWN_REQUIREMENT,
            f"The task has no requirement {', '.join(unknown)}",
            metadata={"requirement_ids": ",".join(unknown)},
        )
    a.change_requests.append(
        ChangeRequest(len(a.change_requests) + 1, command.comment, command.requirement_ids, now)
    )
    due_time = max(a.policy.rework_window.after(now), a.terms.submission_deadline_time)
    a.clock = Clock(ClockKind.REWORK, due_time)
    return _step(
        a, Event.CHANGES_REQUESTED, State.CHANGES_REQUESTED, command.actor, now, command.comment
    )


def approve_work(a: Assignment, command: ApproveWork, now: datetime) -> Transition:
    _require(a, now, "ApproveWork", State.IN_REVIEW)
    return _approve(a, ConfirmedBy.BRAND, command.actor, now)


def comment_on_expiry(a: Assignment, command: CommentOnExpiry, now: datetime) -> Transition:
    _require(a, now, "CommentOnExpiry", State.EXPIRED)
    if a.expiry_comment is not None:
        raise illegal_state(a.name, "EXPIRED and commented on", "CommentOnExpiry")
    _require_not_over(a, "CommentOnExpiry")
    a.expiry_comment = ExpiryComment(command.reason, command.comment, now)
    return _step(a, Event.EXPIRY_COMMENTED, a.state, command.actor, now, command.reason)


def open_dispute(a: Assignment, command: OpenDispute, now: datetime) -> tuple[Dispute, Transition]:
    if a.open_dispute_id:
        raise FailedPrecondition(
            Reason.DISPUTE_ALREADY_OPEN,
            f"{a.name} has an open dispute already",
            metadata={"dispute": f"disputes/{a.open_dispute_id}"},
        )
    _require_not_over(a, "OpenDispute")
    if problem := _objection(a, command):
        raise FailedPrecondition(
            Reason.DISPUTE_NOT_ALLOWED,
            f"A dispute over {command.ground} is not possible: {problem}",
            metadata={"state": a.state, "ground": command.ground},
        )
    a.open_dispute_id = command.dispute_id
    a.open_dispute_actor = command.opener
    if a.clock is not None and a.clock.kind in _HELD_BY_DISPUTE:
        a.clock.hold(Holder.DISPUTE, now)
    dispute = Dispute(
        id=command.dispute_id,
        assignment_id=a.id,
        brand_id=a.terms.brand_id,
        creator_id=a.creator_id,
        opener=command.opener,
        ground=command.ground,
        statement=command.statement,
        create_time=now,
        update_time=now,
        answer_due_time=a.policy.dispute_answer_window.after(now),
        resolution_due_time=a.policy.dispute_resolution_window.after(now),
        allowed_outcomes=_outcomes(a),
        reward_currency=a.terms.currency,
        reward_minor=a.terms.reward_minor,
    )
    return dispute, _step(a, Event.DISPUTE_OPENED, a.state, command.opener, now, command.ground)


def close_dispute(
    a: Assignment, decision: Decision | None, mediator: str, now: datetime
) -> Transition:
    """Applies what a mediator decided; None when the dispute was withdrawn."""
    opener, a.open_dispute_id, a.open_dispute_actor = a.open_dispute_actor, "", ""
    if a.clock is not None:
        a.clock.run_on(Holder.DISPUTE, now)
    if decision is None:
        return _step(a, Event.DISPUTE_WITHDRAWN, a.state, opener, now)
    to_state = a.state
    if decision.outcome in (Outcome.PAY_IN_FULL, Outcome.PAY_PARTIAL) and not a.has_payout:
        a.payable_minor = decision.amount_minor or a.terms.reward_minor
        a.confirmed_by = ConfirmedBy.MEDIATOR
        a.clock = Clock(ClockKind.REWARD, a.policy.reward_window.after(now))
        to_state = State.APPROVED
    elif decision.outcome is Outcome.REDO and decision.deadline_time is not None:
        a.clock = Clock(ClockKind.REWORK, decision.deadline_time)
        to_state = State.CHANGES_REQUESTED
    elif decision.outcome is Outcome.CANCEL_WITHOUT_PAY:
        a.clock = None
        to_state = State.CANCELLED
    return _step(
        a,
        Event.DISPUTE_RESOLVED,
        to_state,
        mediator,
        now,
        f"{decision.outcome}: {decision.reasoning}",
    )


def report_payout_failed(a: Assignment, now: datetime) -> Transition:
    """The reward is not with the creator. One that was sent and came back is due again."""
    to_state = a.state
    if a.state in (State.REWARDED, State.COMPLETED):
        a.clock = Clock(ClockKind.REWARD, a.policy.reward_window.after(now))
        to_state = State.APPROVED
    return _step(a, Event.PAYOUT_FAILED, to_state, SYSTEM, now)


def report_reward_sent(a: Assignment, now: datetime) -> Transition | None:
    """The reward has left; it completes the assignment after a month, or when received (R53)."""
    if a.state is not State.APPROVED:
        return None
    a.clock = Clock(ClockKind.COMPLETION, a.policy.completion_window.after(now))
    return _step(a, Event.REWARD_SENT, State.REWARDED, SYSTEM, now)


def report_reward_received(a: Assignment, now: datetime) -> list[Transition]:
    transitions = [report_reward_sent(a, now)]
    if a.state is State.REWARDED:
        transitions.append(_complete(a, now))
    return [transition for transition in transitions if transition is not None]


def fire(a: Assignment, now: datetime) -> tuple[Transition | None, OpenDispute | None]:
    """What a clock does whose time has come: a transition, or a dispute to open, or neither when
    the life of the assignment is over."""
    clock = a.clock
    if clock is None or clock.next_time is None or clock.next_time > now:
        return None, None
    if clock.reminder_times:
        clock.reminder_times.pop(0)
        return _step(a, Event.REVIEW_REMINDED, a.state, SYSTEM, now), None
    a.clock = None
    match clock.kind:
        case ClockKind.SUBMISSION:
            a.clock = Clock(ClockKind.REOPEN, a.policy.reopen_window.after(now))
            return _step(a, Event.EXPIRED, State.EXPIRED, SYSTEM, now), None
        case ClockKind.REVIEW if a.policy.review_silence is ReviewSilence.ESCALATE:
            # Held by the dispute at once; afresh should it be dismissed.
            a.clock = _review_clock(a, now)
            return None, OpenDispute(
                f"{a.id}-review-{a.sequence}",
                Ground.REVIEW_SILENCE,
                "The brand did not review the work in time",
                SYSTEM,
            )
        case ClockKind.REVIEW:
            return _approve(a, ConfirmedBy.SYSTEM, SYSTEM, now), None
        case ClockKind.REWORK if a.submissions:
            a.clock = _review_clock(a, now)
            return _step(a, Event.REWORK_LAPSED, State.IN_REVIEW, SYSTEM, now), None
        case ClockKind.REWORK:
            a.clock = Clock(ClockKind.REOPEN, a.policy.reopen_window.after(now))
            return _step(a, Event.EXPIRED, State.EXPIRED, SYSTEM, now), None
        case ClockKind.REWARD:
            a.reward_is_overdue = True
            return _step(a, Event.REWARD_OVERDUE, a.state, SYSTEM, now), None
        case ClockKind.COMPLETION:
            return _complete(a, now), None
    return None, None


def is_over(a: Assignment) -> bool:
    """Whether nothing can happen any more: the last window is closed and no dispute is open."""
    return (
        a.state in (State.COMPLETED, State.EXPIRED, State.CANCELLED)
        and a.clock is None
        and not a.open_dispute_id
    )


def _require(a: Assignment, now: datetime, command: str, *states: State) -> None:
    """The command is legal in this state, and its time is not over: a clock may fire late, when
    the worker was down say, but a deadline does not move for that."""
    if a.open_dispute_id:
        raise illegal_state(a.name, f"{a.state} with an open dispute", command)
    if a.state not in states:
        raise illegal_state(a.name, a.state, command)
    if a.clock is not None and a.clock.due_time <= now:
        raise illegal_state(a.name, f"{a.state} and its time is over", command)


def _require_not_over(a: Assignment, command: str) -> None:
    """The last window may be closed while the workflow still gives the reward back."""
    if is_over(a):
        raise illegal_state(a.name, f"{a.state} for good", command)


def _step(
    a: Assignment, event: Event, to_state: State, actor: str, now: datetime, comment: str = ""
) -> Transition:
    a.sequence += 1
    a.update_time = now
    transition = Transition(a.sequence, event, a.state, to_state, actor, comment, now)
    a.state = to_state
    return transition


def _review_clock(a: Assignment, now: datetime) -> Clock:
    due_time = a.policy.review_window.after(now)
    reminders = [now + timedelta(seconds=seconds) for seconds in a.policy.review_reminders_seconds]
    return Clock(ClockKind.REVIEW, due_time, reminders)


def _approve(a: Assignment, by: ConfirmedBy, actor: str, now: datetime) -> Transition:
    a.confirmed_by = by
    a.payable_minor = a.terms.reward_minor
    a.clock = Clock(ClockKind.REWARD, a.policy.reward_window.after(now))
    return _step(a, Event.WORK_APPROVED, State.APPROVED, actor, now)


def _complete(a: Assignment, now: datetime) -> Transition:
    a.clock = Clock(ClockKind.DISPUTE_WINDOW, a.policy.dispute_window.after(now))
    return _step(a, Event.COMPLETED, State.COMPLETED, SYSTEM, now)


def _outcomes(a: Assignment) -> list[Outcome]:
    """What a mediator can still decide: once the work is confirmed, it is paid in any case."""
    if a.has_payout:
        return [Outcome.PAY_IN_FULL, Outcome.DISMISS]
    return list(Outcome)


def _objection(a: Assignment, command: OpenDispute) -> str:
    """Why this ground does not hold now; empty when it does."""
    sides = {
        Ground.LATE_REWARD: a.creator,
        Ground.WRONG_PRODUCT: a.creator,
        Ground.UNFAIR_CHANGE_REQUEST: a.creator,
        Ground.MATERIALS_NOT_PROVIDED: a.creator,
        Ground.WORK_DOES_NOT_CONFORM: a.brand,
        Ground.FRAUD: a.brand,
        Ground.REVIEW_SILENCE: SYSTEM,
    }
    rounds = len(a.change_requests)
    objections = {
        Ground.LATE_REWARD: (a.reward_is_overdue, "the reward is not overdue"),
        Ground.WRONG_PRODUCT: (False, "the reward is money"),
        Ground.UNFAIR_CHANGE_REQUEST: (
            a.state is State.CHANGES_REQUESTED,
            "no change request is open",
        ),
        Ground.MATERIALS_NOT_PROVIDED: (
            a.state in (State.IN_PROGRESS, State.EXPIRED),
            "work has been submitted",
        ),
        Ground.WORK_DOES_NOT_CONFORM: (
            a.state is State.IN_REVIEW and rounds >= a.policy.max_revision_rounds,
            "ask for changes first",
        ),
        Ground.FRAUD: (True, ""),
        Ground.REVIEW_SILENCE: (True, ""),
    }
    if sides[command.ground] != command.opener:
        return "it belongs to the other side"
    holds, objection = objections[command.ground]
    return "" if holds else objection
