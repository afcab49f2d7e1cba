"""Disputes for the tests of messages and notices."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from workflows.dispute.model import Decision, Dispute, Ground, Outcome, State

NOW = datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)

OPEN = Dispute(
    id="d1",
    assignment_id="a1",
    brand_id="acme",
    creator_id="bea",
    opener="creators/bea",
    ground=Ground.LATE_REWARD,
    statement="Nothing arrived",
    create_time=NOW,
    resolution_due_time=NOW + timedelta(days=30),
    answer_due_time=NOW + timedelta(days=5),
    allowed_outcomes=[Outcome.PAY_IN_FULL, Outcome.DISMISS],
    reward_currency="USD",
    reward_minor=10_050,
    update_time=NOW,
)
DECIDED = replace(
    OPEN,
    state=State.RESOLVED,
    mediator="staff/mia",
    is_overdue=True,
    sequence=7,
    decision=Decision(Outcome.PAY_PARTIAL, "Half was done", NOW, 5_000, None, "USD"),
)
