"""Runs each command against the subject and the reference model, and compares the two."""

from datetime import datetime, timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant

from servicekit.errors import Reason
from tests.model.comparing import compare
from tests.model.reference.assignment import ReferenceAssignment
from tests.model.reference.state import BRAND, CREATOR
from tests.model.subjects import Subject
from workflows.assignment.model import Terms

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SIDES = st.sampled_from([BRAND, CREATOR])
# Requested dates are relative to now or to the running clock's deadline.
ANCHORS = st.sampled_from(["now", "deadline"])
SPANS = st.sampled_from([-HOUR, timedelta(), HOUR, DAY, 2 * DAY, 20 * DAY])
REWARD_MINOR = 10_000
# Results of the attempts to send money; the last one repeats.
ANSWERS = [["PAID"], ["SENT"], ["FAILED", "SENT"], ["FAILED", "FAILED", "PAID"], ["SENT", "PAID"]]


class ComparingMachine(RuleBasedStateMachine):
    """Subclasses add the rules and the subject."""

    subject: Subject
    model: ReferenceAssignment

    def __init__(self) -> None:
        super().__init__()
        self.disputes = 0

    def begin(self, terms: Terms, answers: list[str]) -> Subject:
        """`answers` are how attempts to send money go."""
        raise NotImplementedError

    def start_time(self) -> datetime:
        raise NotImplementedError

    def run_on_both(self, update: str, command: Any) -> bool:
        """Sends a command to both. Returns whether it was legal; both must agree."""
        if update in ("accept_proposal", "decline_proposal", "withdraw_proposal"):
            return self.agree(
                lambda: self.model.refuse_answer(update, command),
                lambda: self.subject.send(update, command),
                lambda: self.model.answer(update, command),
            )
        return self.agree(
            lambda: self.model.refusals(command),
            lambda: self.subject.send(update, command),
            lambda: self.model.apply(command),
        )

    def agree(self, expect: Any, act: Any, follow: Any, *, is_recorded: bool = True) -> bool:
        self.settle()
        reasons: set[Reason] = expect()
        count = len(self.model.history)
        refusal: Reason | None = act()
        if reasons:
            assert refusal in reasons, f"{refusal} instead of {reasons or 'success'}"
            return False
        assert refusal is None, f"refused for {refusal}"
        if is_recorded:
            self.subject.wait_for(count + 1)
            self.model.now = self.subject.transitions[count].time
        follow()
        self.after_command()
        return True

    def after_command(self) -> None:
        """Hook for what a subject does after a command."""

    def settle(self) -> None:
        """Lets everything happen that is due by now."""
        self.model.now = self.subject.now()

    def catch_up(self, until: datetime) -> None:
        """Advances the model to `until`, and compares the times of transitions."""
        while (due := self.model.next_time()) is not None and due <= until:
            count = len(self.model.history)
            self.subject.wait_for(count + 1)
            time = self.subject.transitions[count].time
            expected = max(due, self.model.now)
            assert expected <= time <= expected + self.subject.tolerance, (
                f"{self.subject.transitions[count].event} at {time}, not at {expected}"
            )
            self.model.now = time
            self.model.fire()
        self.model.now = max(until, self.model.now)

    def date(self, anchor: str, span: timedelta) -> datetime:
        clock, now = self.model.clock, self.subject.now()
        is_anchored = anchor == "deadline" and clock is not None
        return (clock.deadline(now) if is_anchored and clock else now) + span

    def pass_time(self, until: datetime) -> None:
        self.settle()
        self.subject.pass_time(until)
        self.catch_up(until)

    @invariant()
    def both_are_equal(self) -> None:
        if hasattr(self, "model"):
            compare(self.model, self.subject)
