"""The real workflows against the reference model: assignments with their disputes and payouts, on
a time-skipping server.

`MODEL_WORKFLOW_EXAMPLES=2000 pytest tests/model/test_workflow.py` runs more examples, at random.
"""

import os
import sys
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, ClassVar

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule, run_state_machine_as_test

from servicekit.errors import Reason
from tests.model.machine import AssignmentMachine
from tests.model.reference.payout import ReferencePayout
from tests.model.reference.state import BRAND
from tests.model.running import BackgroundHarness, WorkflowSubject, background
from tests.model.subjects import Subject
from workflows.assignment.commands import OverrideAssignment
from workflows.assignment.model import Action, State, Terms
from workflows.dispute.model import Decision, Ground, Outcome
from workflows.policy import STANDARD, Span

_EXAMPLES = int(os.environ.get("MODEL_WORKFLOW_EXAMPLES", "0"))
# Short windows, since a sent payout is polled every hour; and uneven ones, since the order of two
# clocks that are due at once is not specified.
POLICY = replace(
    STANDARD,
    name="brisk",
    completion_window=Span(seconds=12.3 * 3600),
    dispute_window=Span(seconds=11.7 * 3600),
    payout_retry_interval=Span(seconds=25.1 * 3600),
    claim_window=Span(seconds=26.7 * 3600),
)
_LOWERING = (Outcome.PAY_PARTIAL, Outcome.CANCEL_WITHOUT_PAY)
_SOON, _FAR = timedelta(seconds=5), timedelta(days=2)
# The exact time of a payout's timers is not specified.
_JITTER = timedelta(seconds=1)


class WorkflowMachine(AssignmentMachine):
    """The payout workflow sends the money; provider events come by webhook."""

    policy = POLICY
    background: ClassVar[BackgroundHarness]

    def __init__(self) -> None:
        super().__init__()
        self.payout: ReferencePayout | None = None

    def start_time(self) -> datetime:
        self.background.begin_example()
        return self.background.do(self.background.harness.now())

    def begin(self, terms: Terms, answers: list[str]) -> Subject:
        self.answers = answers
        self.running = WorkflowSubject(self.background, terms, answers)
        return self.running

    # Money

    def after_command(self) -> None:
        """The payout starts with the confirmation, and a dispute of the brand holds it."""
        model = self.model
        if model.payable_minor and self.payout is None:
            reserved = model.terms.reward_minor if model.terms.is_escrowed else 0
            self.payout = ReferencePayout(
                self.answers, model.terms.policy, model.now, model.payable_minor, reserved
            )
        if self.payout is not None:
            is_held = model.dispute is not None and model.dispute.opener == BRAND
            self.payout.hold(is_held, model.now)

    def next_time(self) -> datetime | None:
        times = (self.model.next_time(), self.payout.next_time() if self.payout else None)
        return min((time for time in times if time is not None), default=None)

    def pass_time(self, until: datetime) -> None:
        """Advances in short spans while a payout is open, since it is polled every hour."""
        if not self.model.is_for_product and not (self.payout and self.payout.is_over):
            now = self.subject.now()
            until = min(until, max(self.next_time() or now, now + _FAR))
        super().pass_time(until)

    def settle(self) -> None:
        """Lets imminent timers fire first, so that a command races with none."""
        self.catch_up(self.subject.now())
        while (due := self.next_time()) is not None and due - self.subject.now() < _SOON:
            self.subject.pass_time(due + _SOON)
            self.catch_up(self.subject.now())

    def catch_up(self, until: datetime) -> None:
        while (due := self.next_time()) is not None and due <= until:
            if self.payout is not None and due == self.payout.next_time():
                self.pay(self.payout, max(due, self.model.now))
            else:
                super().catch_up(due)
                self.after_command()
        self.model.now = max(until, self.model.now)

    def pay(self, payout: ReferencePayout, due: datetime) -> None:
        self.model.now = due
        self.receive_report(payout.advance(due), due)
        self.running.wait_for_attempts(payout.attempts)

    def receive_report(self, reported: str, due: datetime) -> None:
        """Applies a payout's report, unless the assignment knows it already."""
        assert self.payout is not None
        state = self.model.state
        is_new = {
            "": False,
            "SENT": state is State.APPROVED,
            "PAID": state in (State.APPROVED, State.REWARDED),
        }.get(reported, True)
        if not is_new:
            return
        count = len(self.model.history)
        self.subject.wait_for(count + 1)
        time = self.subject.transitions[count].time
        assert due - _JITTER <= time <= due + self.subject.tolerance
        self.model.now = self.payout.time = time
        self.model.report_payout(reported)

    @precondition(lambda self: self.payout is not None and self.payout.is_under_way)
    @rule(state=st.sampled_from(["PAID", "FAILED", "UNCLAIMED", "UNCLAIMED", "BLOCKED"]))
    def provider(self, state: str) -> None:
        """The provider reports a new state of a sent payment."""
        self.report_from_provider(state)

    def report_from_provider(self, state: str) -> None:
        self.settle()
        if self.payout is not None and self.payout.is_under_way and self.payout.state != state:
            self.change_payout(state)

    @precondition(lambda self: self.payout is not None and not self.payout.is_over)
    @rule(is_wanted=st.sampled_from([False, False, False, True]))
    def write_off(self, is_wanted: bool) -> None:
        """An operator writes the payout off."""
        if not is_wanted:
            return
        self.settle()
        if self.payout is not None and not self.payout.is_over:
            self.change_payout("WRITTEN_OFF")

    def change_payout(self, state: str) -> None:
        assert self.payout is not None
        now = self.subject.now()
        self.running.signal_payout(state, self.payout.attempts)
        self.receive_report(self.payout.apply_status(state, now), now)

    def run_on_both(self, update: str, command: Any) -> bool:
        retries = isinstance(command, OverrideAssignment) and command.action is Action.RETRY_REWARD
        self.settle()
        is_legal = super().run_on_both(update, command)
        if is_legal and retries and self.payout is not None:
            self.payout.want(self.model.now)
        return is_legal

    def _decide(self, mediator: str, decision: Decision) -> bool:
        self.settle()
        was_due, is_sent = self.payout is not None, self.is_money_sent()
        is_legal = super()._decide(mediator, decision)
        if not is_legal or self.payout is None:
            return is_legal
        if decision.outcome is Outcome.PAY_IN_FULL:
            self.payout.want(self.model.now)
        elif decision.outcome in _LOWERING and was_due and not is_sent:
            self.payout.settle(decision.amount_minor or 0, self.model.now)
        return is_legal

    def is_money_sent(self) -> bool:
        return self.payout is not None and self.payout.is_sent

    def agree(self, expect: Any, act: Any, follow: Any, *, is_recorded: bool = True) -> bool:
        """An ended workflow refuses every command."""

        def expect_end() -> set[Reason]:
            reasons: set[Reason] = expect()
            return reasons | {Reason.ILLEGAL_STATE} if self.model.is_over else reasons

        is_legal = super().agree(expect_end, act, follow, is_recorded=is_recorded)
        # A reward whose agreed shipment date was missed is overdue at once.
        AssignmentMachine.catch_up(self, self.model.now)
        return is_legal

    # The end

    def reward(self) -> None:
        if self.payout is None:
            super().reward()
        elif self.payout.is_under_way:
            self.change_payout("PAID")
        else:
            self.pass_time(self.next_time() or self.subject.now())

    def teardown(self) -> None:
        if not hasattr(self, "model") or sys.exc_info()[0] is not None:
            if hasattr(self, "running"):
                self.running.terminate()
            return
        self.settle()
        if self.payout is not None and self.payout.is_under_way:
            self.change_payout("PAID")
        self.end()
        while self.payout is not None and not self.payout.is_over:
            self.reward()
            self.end()
        assert self.running.end() == self.model.state
        self.both_are_equal()
        self.money_is_moved_once()
        self.running.replay()

    def money_is_moved_once(self) -> None:
        """A reward is sent, or released to the brand, or was never reserved."""
        terms, harness, id_ = self.model.terms, self.background.harness, self.running.id
        was_due = self.model.payable_minor > 0
        is_taken_back = self.payout is not None and self.payout.state == "RELEASED"
        is_released = not was_due if terms.is_escrowed else is_taken_back
        assert harness.releases.count(id_) == is_released
        attempts = self.payout.attempts if self.payout else 0
        assert self.running.attempts == list(range(1, attempts + 1))
        assert (attempts > 0) is was_due or self.model.state is State.CANCELLED
        reservations = [one.amount_minor for one in harness.reservations if one.payout_id == id_]
        assert reservations == (self.payout.reservations if self.payout else [])


class DuePayoutMachine(WorkflowMachine):
    """Starts where the reward is due, so that most steps concern the payout."""

    begins_due = True

    @precondition(lambda self: self.payout is not None and self.payout.state == "SENT")
    @rule()
    def nobody_claims(self) -> None:
        self.report_from_provider("UNCLAIMED")

    @precondition(lambda self: self.payout is not None and not self.payout.is_over)
    @precondition(lambda self: self.model.state is State.APPROVED and not self.model.dispute)
    @rule(outcome=st.sampled_from(_LOWERING))
    def the_brand_disputes_and_wins(self, outcome: Outcome) -> None:
        self._open(Ground.FRAUD, BRAND)
        if self.model.dispute is not None:  # unless the limit of disputes was reached
            self.make_valid_decision(outcome, _FAR)


def _run(machine: type[WorkflowMachine]) -> None:
    with background() as WorkflowMachine.background:
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=_EXAMPLES or 30,
                stateful_step_count=25,
                derandomize=not _EXAMPLES,
                deadline=None,
                database=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            ),
        )


def test_workflows_behave_as_the_reference_model() -> None:
    _run(WorkflowMachine)


def test_due_payouts_behave_as_the_reference_model() -> None:
    _run(DuePayoutMachine)
