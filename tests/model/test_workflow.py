"""The real workflow against the plain model: assignments with their disputes and payouts, on a
server whose clock runs ahead.

`MODEL_LIVES=2000 pytest tests/model/test_workflow.py` looks further, at random.
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
from tests.model.reference_assignment import BRAND
from tests.model.reference_payout import ReferencePayout
from tests.model.running import BackgroundHarness, WorkflowSubject, background
from tests.model.subjects import Subject
from workflows.assignment.commands import OverrideAssignment
from workflows.assignment.model import Action, State, Terms
from workflows.dispute.model import Decision, Ground, Outcome
from workflows.policy import STANDARD, Span

_LIVES = int(os.environ.get("MODEL_LIVES", "0"))
# A payout whose money is under way asks the provider every hour: months of that take long. And no
# two clocks are to be due at once, since which is first is then nobody's promise.
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
# Timers of a payout are no promises to anybody.
_JITTER = timedelta(seconds=1)


class WorkflowMachine(AssignmentMachine):
    """A payout sends money by itself; the provider's news come by webhook."""

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

    def have_acted(self) -> None:
        """The payout begins with the confirmation, and the brand's dispute holds it."""
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
        """Not far while money may be under way, whose provider is asked every hour."""
        if not self.model.is_for_product and not (self.payout and self.payout.is_over):
            now = self.subject.now()
            until = min(until, max(self.next_time() or now, now + _FAR))
        super().pass_time(until)

    def come_to_rest(self) -> None:
        """Nothing is just about to happen when somebody acts."""
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
                self.have_acted()
        self.model.now = max(until, self.model.now)

    def pay(self, payout: ReferencePayout, due: datetime) -> None:
        self.model.now = due
        self.hear(payout.advance(due), due)
        self.running.wait_for_attempts(payout.attempts)

    def hear(self, news: str, due: datetime) -> None:
        """What the payout tells the assignment, which may know already."""
        assert self.payout is not None
        state = self.model.state
        is_new = {
            "": False,
            "SENT": state is State.APPROVED,
            "PAID": state in (State.APPROVED, State.REWARDED),
        }.get(news, True)
        if not is_new:
            return
        count = len(self.model.history)
        self.subject.wait_for(count + 1)
        time = self.subject.transitions[count].time
        assert due - _JITTER <= time <= due + self.subject.tolerance
        self.model.now = self.payout.time = time
        self.model.money(news)

    @precondition(lambda self: self.payout is not None and self.payout.is_under_way)
    @rule(state=st.sampled_from(["PAID", "FAILED", "UNCLAIMED", "UNCLAIMED", "BLOCKED"]))
    def provider(self, state: str) -> None:
        """The provider decides what becomes of money under way."""
        self.provider_says(state)

    def provider_says(self, state: str) -> None:
        self.come_to_rest()
        if self.payout is not None and self.payout.is_under_way and self.payout.state != state:
            self.tell(state)

    @precondition(lambda self: self.payout is not None and not self.payout.is_over)
    @rule(is_wanted=st.sampled_from([False, False, False, True]))
    def write_off(self, is_wanted: bool) -> None:
        """An operator gives it up."""
        if not is_wanted:
            return
        self.come_to_rest()
        if self.payout is not None and not self.payout.is_over:
            self.tell("WRITTEN_OFF")

    def tell(self, state: str) -> None:
        assert self.payout is not None
        now = self.subject.now()
        self.running.signal_payout(state, self.payout.attempts)
        self.hear(self.payout.apply_status(state, now), now)

    def both(self, update: str, command: Any) -> bool:
        retries = isinstance(command, OverrideAssignment) and command.action is Action.RETRY_REWARD
        self.come_to_rest()
        is_legal = super().both(update, command)
        if is_legal and retries and self.payout is not None:
            self.payout.want(self.model.now)
        return is_legal

    def _decide(self, mediator: str, decision: Decision) -> bool:
        self.come_to_rest()
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
        """A workflow that has ended refuses everything."""

        def expect_end() -> set[Reason]:
            reasons: set[Reason] = expect()
            return reasons | {Reason.ILLEGAL_STATE} if self.model.is_over else reasons

        is_legal = super().agree(expect_end, act, follow, is_recorded=is_recorded)
        # A reward whose agreed date was missed is late at once, and nobody waits for that.
        AssignmentMachine.catch_up(self, self.model.now)
        return is_legal

    # The end

    def reward(self) -> None:
        if self.payout is None:
            super().reward()
        elif self.payout.is_under_way:
            self.tell("PAID")
        else:
            self.pass_time(self.next_time() or self.subject.now())

    def teardown(self) -> None:
        if not hasattr(self, "model") or sys.exc_info()[0] is not None:
            if hasattr(self, "running"):
                self.running.terminate()
            return
        self.come_to_rest()
        if self.payout is not None and self.payout.is_under_way:
            self.tell("PAID")
        self.end()
        while self.payout is not None and not self.payout.is_over:
            self.reward()
            self.end()
        assert self.running.end() == self.model.state
        self.both_are_the_same()
        self.money_is_moved_once()
        self.running.replay()

    def money_is_moved_once(self) -> None:
        """A reward is sent, or given back to the brand, or was never set aside."""
        terms, harness, id_ = self.model.terms, self.background.harness, self.running.id
        was_due = self.model.payable_minor > 0
        is_taken_back = self.payout is not None and self.payout.state == "RELEASED"
        is_released = not was_due if terms.is_escrowed else is_taken_back
        assert harness.releases.count(id_) == is_released
        attempts = self.payout.attempts if self.payout else 0
        assert self.running.attempts == list(range(1, attempts + 1))
        assert (attempts > 0) is was_due or self.model.state is State.CANCELLED
        set_aside = [one.amount_minor for one in harness.set_aside if one.payout_id == id_]
        assert set_aside == (self.payout.set_aside if self.payout else [])


class DueLives(WorkflowMachine):
    """From where the reward is due: its payout is most of what happens."""

    begins_due = True

    @precondition(lambda self: self.payout is not None and self.payout.state == "SENT")
    @rule()
    def nobody_claims(self) -> None:
        self.provider_says("UNCLAIMED")

    @precondition(lambda self: self.payout is not None and not self.payout.is_over)
    @precondition(lambda self: self.model.state is State.APPROVED and not self.model.dispute)
    @rule(outcome=st.sampled_from(_LOWERING))
    def the_brand_disputes_and_wins(self, outcome: Outcome) -> None:
        self._open(Ground.FRAUD, BRAND)
        if self.model.dispute is not None:  # else it was one too many
            self.decide_well(outcome, _FAR)


def _live(lives: type[WorkflowMachine]) -> None:
    with background() as WorkflowMachine.background:
        run_state_machine_as_test(
            lives,
            settings=settings(
                max_examples=_LIVES or 30,
                stateful_step_count=25,
                derandomize=not _LIVES,
                deadline=None,
                database=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            ),
        )


def test_the_workflow_leads_the_lives_that_the_model_foretells() -> None:
    _live(WorkflowMachine)


def test_what_is_due_is_paid_lowered_or_given_up_as_the_model_foretells() -> None:
    _live(DueLives)
