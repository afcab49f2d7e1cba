"""What happens when time runs out."""

from tests.model.reference import clock_rules, disputes, products, submissions, transitions
from tests.model.reference.state import SYSTEM, AssignmentState
from workflows.assignment.model import (
    ClockKind,
    ConfirmedBy,
    Event,
)
from workflows.dispute.model import Ground
from workflows.policy import ReviewSilence


def fire(a: AssignmentState) -> None:
    """Fires what is due, even if late."""
    due = a.next_time()
    assert due is not None
    assert due <= a.now
    if due == a.shipment_time():
        a.is_missed = True
        products.hold_for_product(a, due)
        transitions.add(a, Event.SHIPMENT_MISSED, SYSTEM)
        return
    assert a.clock is not None
    if a.clock.reminders:
        a.clock.reminders.pop(0)
        transitions.add(a, Event.REVIEW_REMINDED, SYSTEM)
        return
    run_out(a, a.clock.kind)


def run_out(a: AssignmentState, kind: ClockKind) -> None:
    match kind:
        case ClockKind.REVIEW:
            if a.terms.policy.review_silence is ReviewSilence.ESCALATE:
                clock_rules.start_review(a)  # a new review, in case the dispute is dismissed
                disputes.open_dispute(a, Ground.REVIEW_SILENCE, SYSTEM)
            else:
                submissions.approve(a, ConfirmedBy.SYSTEM, SYSTEM)
        case ClockKind.REWORK if a.versions:
            submissions.return_to_review(a, SYSTEM)
        case ClockKind.SUBMISSION | ClockKind.REWORK:
            submissions.expire(a, SYSTEM)
        case ClockKind.REWARD:
            a.clock, a.is_overdue = None, True
            transitions.add(a, Event.REWARD_OVERDUE, SYSTEM)
        case ClockKind.COMPLETION:
            transitions.complete(a, SYSTEM)
        case ClockKind.REOPEN | ClockKind.DISPUTE_WINDOW:
            a.clock = None
            transitions.add(a, Event.CLOSED, SYSTEM)
