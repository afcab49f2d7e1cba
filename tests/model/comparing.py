"""Comparison of a subject with the reference model, and invariants."""

from itertools import pairwise

from tests.model.reference.assignment import ReferenceAssignment
from tests.model.reference.clock import ReferenceClock
from tests.model.reference.state import UNCONFIRMED, ExpectedTransition
from tests.model.subjects import Subject
from workflows.assignment.model import Assignment, Clock, State


def compare(model: ReferenceAssignment, subject: Subject) -> None:
    a = subject.assignment
    _compare_history(model, subject)
    assert a.state is model.state
    _compare_clocks(model.clock, a.clock)
    assert a.submission_deadline_time == model.deadline
    assert len(a.submissions) == model.versions
    assert [one.version for one in a.submissions] == list(range(1, model.versions + 1))
    assert [one.round for one in a.change_requests] == list(range(1, model.rounds + 1))
    assert a.confirmed_by is model.confirmed_by
    assert a.payable_minor == model.payable_minor
    assert a.reward_is_overdue is model.is_overdue
    assert bool(a.open_dispute_id) is (model.dispute is not None)
    assert a.open_dispute_actor == (model.dispute.opener if model.dispute else "")
    _compare_expiry(model, a)
    _compare_proposals(model, a)
    _compare_products(model, a)
    # A notice may be sent again; receivers recognize it by its deduplication id.
    notices = set(subject.notices)
    assert len({one.deduplication_id for one in notices}) == len(notices), (
        "two notices share a deduplication id"
    )


def _compare_history(model: ReferenceAssignment, subject: Subject) -> None:
    recorded = [
        ExpectedTransition(one.event, one.from_state, one.to_state, one.actor, one.time)
        for one in subject.transitions
    ]
    assert recorded == model.history
    sequences = [one.sequence for one in subject.transitions]
    assert sequences == list(range(1, len(sequences) + 1))
    assert subject.assignment.sequence == len(sequences)
    for before, after in pairwise(recorded):
        assert after.from_state is before.to_state
        assert after.time >= before.time


def _compare_clocks(model: ReferenceClock | None, clock: Clock | None) -> None:
    assert (clock is None) is (model is None)
    if model is None or clock is None:
        return
    assert clock.kind is model.kind
    assert set(clock.holders) == model.holders
    assert len(clock.holders) == len(model.holders), "held twice by one"
    if model.left is None:
        assert clock.held_time is None
        assert clock.due_time == model.due
        assert clock.reminder_times == model.reminders
    else:
        assert clock.held_time is not None
        assert clock.due_time - clock.held_time == model.left
        left = [time - clock.held_time for time in clock.reminder_times]
        assert left == model.reminders_left


def _compare_expiry(model: ReferenceAssignment, a: Assignment) -> None:
    """Compared only while the expiry can still matter."""
    if a.state in (State.EXPIRED, *UNCONFIRMED):
        assert a.fault is model.fault
        assert (a.expiry_comment is not None) is model.has_commented


def _compare_proposals(model: ReferenceAssignment, a: Assignment) -> None:
    assert [one.number for one in a.proposals] == list(range(1, len(model.proposals) + 1))
    for one, plain in zip(a.proposals, model.proposals, strict=True):
        assert (one.kind, one.proposer) == (plain.kind, plain.proposer)
        assert one.deadline_time == plain.date
        assert one.state is plain.state
        assert [requirement.id for requirement in one.requirements] == plain.ids
    assert {one.text: one.id for one in a.requirements} == model.requirements


def _compare_products(model: ReferenceAssignment, a: Assignment) -> None:
    assert a.shipment_due_time == model.agreed_shipment
    assert a.shipment_is_missed is model.is_missed
    products = [[one.receive_time is not None, one.is_replaced] for one in a.shipments]
    assert products == model.products
