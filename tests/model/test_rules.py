"""The pure rules against the reference model: hundreds of examples in seconds.

`MODEL_EXAMPLES=5000 pytest tests/model/test_rules.py` runs more examples, at random.
"""

import os
import sys
from datetime import UTC, datetime, timedelta

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from tests.model.machine import AssignmentMachine
from tests.model.subjects import Rules, Subject
from workflows.assignment.model import State, Terms

_EXAMPLES = int(os.environ.get("MODEL_EXAMPLES", "0"))
REPORTS = ["SENT", "SENT", "UNCLAIMED", "PAID", "FAILED", "FAILED", "ESCALATED", "WRITTEN_OFF"]
BEGIN = datetime(2028, 1, 27, 12, tzinfo=UTC)


class RulesMachine(AssignmentMachine):
    """Payout reports are random, and clocks may fire late."""

    def start_time(self) -> datetime:
        return BEGIN

    def begin(self, terms: Terms, answers: list[str]) -> Subject:
        del answers  # payout reports are random
        self.subject_rules = Rules(terms, BEGIN)
        return self.subject_rules

    @precondition(lambda self: self.model.payable_minor)
    @precondition(lambda self: self.model.state is not State.CANCELLED)
    @rule(reported=st.sampled_from(REPORTS))
    def report_payout(self, reported: str) -> None:
        self.settle()
        self.subject_rules.report_payout(reported)
        self.model.report_payout(reported)

    def is_money_sent(self) -> bool:
        return self.subject_rules.money_is_sent

    @rule(span=st.sampled_from([timedelta(hours=1), timedelta(days=4), timedelta(days=40)]))
    def sleep(self, span: timedelta) -> None:
        """Workers are down: what is due waits, and the next command may come before it."""
        self.subject_rules.sleep(self.subject.now() + span)
        self.model.now = self.subject.now()

    @rule()
    def wake(self) -> None:
        self.pass_time(self.subject.now())

    @rule()
    def is_never_stuck(self) -> None:
        self.can_proceed()

    def reward(self) -> None:
        if self.model.payable_minor and self.model.state is State.APPROVED:
            self.report_payout("PAID")
        else:
            super().reward()

    def teardown(self) -> None:
        if hasattr(self, "model") and sys.exc_info()[0] is None:
            self.end()


TestRules = RulesMachine.TestCase
TestRules.settings = settings(
    max_examples=_EXAMPLES or 400,
    stateful_step_count=30,
    derandomize=not _EXAMPLES,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
