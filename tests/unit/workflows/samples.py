"""Assignments and tasks in each state, reached through their own rules."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from workflows.assignment.commands import (
    ApproveWork,
    CommentOnExpiry,
    OpenDispute,
    RequestChanges,
    SubmitWork,
)
from workflows.assignment.model import (
    Assignment,
    Event,
    Funding,
    Requirement,
    State,
    Terms,
    Transition,
)
from workflows.assignment.rules import disputes, rewards, submissions
from workflows.dispute.model import Decision, Ground, Outcome
from workflows.policy import STANDARD, Policy
from workflows.task.model import PublishedTask, Selection

BRAND, CREATOR = "brands/acme", "creators/bea"
MEDIATOR, OPERATOR = "staff/mia", "staff/olga"
BEGIN = datetime(2026, 3, 1, 12, tzinfo=UTC)
DEADLINE = BEGIN + timedelta(days=10)
DAY = timedelta(days=1)
# Later than the begin and before every clock of it.
LATER = BEGIN + timedelta(hours=1)

SUBMIT = SubmitWork(CREATOR, "Done", ["m1"], ["https://example.com/1"])
CHANGE = RequestChanges(BRAND, "Show the price", ["req-1"])
APPROVE = ApproveWork(BRAND)
COMMENT = CommentOnExpiry(CREATOR, "EMERGENCY", "I was ill")


def terms(policy: Policy = STANDARD, **changes: Any) -> Terms:
    values: dict[str, Any] = {
        "task_id": "t1",
        "brand_id": "acme",
        "requirements": [Requirement("req-1", "Show it"), Requirement("req-2", "Say it")],
        "currency": "USD",
        "reward_minor": 10_000,
        "funding": Funding.ESCROW,
        "submission_deadline_time": DEADLINE,
        "policy": policy,
    }
    return Terms(**values | changes)


def begun(policy: Policy = STANDARD, **changes: Any) -> Assignment:
    return submissions.start("a1", "bea", terms(policy, **changes), BEGIN)[0]


def shipping() -> Assignment:
    """At work for a product."""
    return begun(currency="", reward_minor=0, product_title="A lamp")


def submitted(policy: Policy = STANDARD) -> Assignment:
    a = begun(policy)
    submissions.submit_work(a, SUBMIT, LATER)
    return a


def reworking(policy: Policy = STANDARD) -> Assignment:
    a = submitted(policy)
    submissions.request_changes(a, CHANGE, LATER)
    return a


def approved() -> Assignment:
    a = submitted()
    submissions.approve_work(a, APPROVE, LATER)
    return a


def overdue() -> Assignment:
    a = approved()
    submissions.fire(a, due(a))
    return a


def rewarded() -> Assignment:
    a = approved()
    rewards.report_reward_sent(a, LATER)
    return a


def completed() -> Assignment:
    a = approved()
    rewards.report_reward_received(a, LATER)
    return a


def expired() -> Assignment:
    a = begun()
    submissions.fire(a, DEADLINE)
    return a


def cancelled() -> Assignment:
    a = disputed(begun(), Ground.FRAUD)
    disputes.close_dispute(a, Decision(Outcome.CANCEL_WITHOUT_PAY, "Fraud"), MEDIATOR, LATER)
    return a


def after_rounds(rounds: int) -> Assignment:
    """In review, after so many rounds of changes."""
    a = submitted()
    for _ in range(rounds):
        submissions.request_changes(a, CHANGE, LATER)
        submissions.submit_work(a, SUBMIT, LATER)
    return a


def disputed(a: Assignment, ground: Ground, now: datetime = LATER) -> Assignment:
    creators = (Ground.LATE_REWARD, Ground.UNFAIR_CHANGE_REQUEST, Ground.MATERIALS_NOT_PROVIDED)
    opener = CREATOR if ground in creators else BRAND
    disputes.open_dispute(a, OpenDispute("d1", ground, "It is not right", opener), now)
    return a


def due(a: Assignment) -> datetime:
    assert a.clock is not None
    return a.clock.due_time


REACHED = {
    State.IN_PROGRESS: begun,
    State.IN_REVIEW: submitted,
    State.CHANGES_REQUESTED: reworking,
    State.APPROVED: approved,
    State.REWARDED: rewarded,
    State.COMPLETED: completed,
    State.EXPIRED: expired,
    State.CANCELLED: cancelled,
}


def published(slots: int = 2, **changes: Any) -> PublishedTask:
    task = PublishedTask(
        id="t1",
        terms=terms(),
        creator_slots=slots,
        application_deadline_time=BEGIN + 2 * DAY,
        selection_deadline_time=BEGIN + 5 * DAY,
    )
    return replace(task, **changes)


def selection(number: int) -> Selection:
    return Selection(f"app{number}", f"creator{number}")


def transition_of(event: Event, actor: str) -> Transition:
    return Transition(3, event, State.IN_REVIEW, State.APPROVED, actor, "because", LATER)
