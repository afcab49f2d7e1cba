"""Random disputes, and the mediator's decisions."""

from datetime import timedelta

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from tests.model.comparing_machine import DAY, HOUR, REWARD_MINOR, SIDES, ComparingMachine
from tests.model.reference.state import BRAND, CREATOR, MEDIATOR
from workflows.assignment.commands import (
    OpenDispute,
)
from workflows.dispute.model import BRAND_GROUNDS, CREATOR_GROUNDS, Decision, Ground, Outcome


class DisputeRules(ComparingMachine):
    @rule(ground=st.sampled_from(Ground), opener=SIDES)
    def dispute(self, ground: Ground, opener: str) -> None:
        self._open(ground, opener)

    @precondition(lambda self: self.model.dispute is None and not self.model.is_over)
    @rule(data=st.data())
    def open_valid_dispute(self, data: st.DataObject) -> None:
        possible = [
            (ground, actor)
            for actor, grounds in ((BRAND, BRAND_GROUNDS), (CREATOR, CREATOR_GROUNDS))
            for ground in sorted(grounds)
            if not self.model.refusals(OpenDispute("?", ground, "", actor))
        ]
        if possible:
            self._open(*data.draw(st.sampled_from(possible)))

    def _open(self, ground: Ground, opener: str) -> None:
        self.disputes += 1
        id_ = f"{self.subject.assignment.id}-{self.disputes}"
        self.run_on_both("open_dispute", OpenDispute(id_, ground, "Not right", opener))

    @precondition(lambda self: self.model.dispute is not None)
    @rule()
    def claim(self) -> None:
        def follow() -> None:
            assert self.model.dispute is not None
            self.model.dispute.mediator = MEDIATOR

        self.agree(
            self.model.refuse_claim,
            lambda: self.subject.claim(MEDIATOR),
            follow,
            is_recorded=False,
        )

    @precondition(lambda self: self.model.dispute is not None)
    @rule(actor=st.sampled_from([BRAND, CREATOR, MEDIATOR]))
    def withdraw(self, actor: str) -> None:
        self.agree(
            lambda: self.model.refuse_withdrawal(actor),
            lambda: self.subject.withdraw(actor),
            self.model.withdraw,
        )

    @precondition(lambda self: self.model.dispute is not None)
    @rule(
        outcome=st.sampled_from(Outcome),
        mediator=st.sampled_from([MEDIATOR, MEDIATOR, MEDIATOR, "staff/max"]),
        amount=st.sampled_from([None, 0, 1, 4_000, REWARD_MINOR]),
        span=st.sampled_from([None, *[-HOUR, HOUR, DAY]]),
    )
    def decide(
        self, outcome: Outcome, mediator: str, amount: int | None, span: timedelta | None
    ) -> None:
        date = self.subject.now() + span if span is not None else None
        currency = "USD" if amount is not None else None
        self._decide(mediator, Decision(outcome, "Because", None, amount, date, currency))

    @precondition(lambda self: self.model.dispute is not None)
    @rule(outcome=st.sampled_from(Outcome), span=st.sampled_from([HOUR, 5 * DAY]))
    def make_valid_decision(self, outcome: Outcome, span: timedelta) -> None:
        assert self.model.dispute is not None
        if not self.model.dispute.mediator:
            self.claim()
        partial, redo = outcome is Outcome.PAY_PARTIAL, outcome is Outcome.REDO
        decision = Decision(
            outcome,
            "Because",
            amount_minor=4_000 if partial else None,
            amount_currency="USD" if partial else None,
            deadline_time=self.subject.now() + span if redo else None,
        )
        self._decide(MEDIATOR, decision)

    def is_money_sent(self) -> bool:
        """Whether the reward has been sent, so that a mediator can no longer lower it."""
        raise NotImplementedError

    def _decide(self, mediator: str, decision: Decision) -> bool:
        is_sent = self.is_money_sent()
        return self.agree(
            lambda: self.model.refuse_decision(mediator, decision),
            lambda: self.subject.decide(mediator, decision),
            lambda: self.model.decide(decision, is_sent=is_sent),
        )
