"""Subjects that the reference model is compared with: the pure rules on a simulated clock, or (in
`running`) the real workflow."""

import copy
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol

from servicekit.errors import LiaisonError, Reason
from workflows.assignment.commands import OpenDispute
from workflows.assignment.model import Assignment, Terms, Transition
from workflows.assignment.notices import notices
from workflows.assignment.rules import disputes, overrides, proposals, rewards, submissions
from workflows.dispute import rules as dispute_rules
from workflows.dispute.model import Decision, Dispute
from workflows.notices import Notice
from workflows.payout.model import PayoutReport
from workflows.payout.model import State as PayoutState

# The name of each command, as the workflow's updates are called.
RULES: dict[str, Callable[..., Transition]] = {
    "submit_work": submissions.submit_new_work,
    "request_changes": submissions.request_changes,
    "approve_work": submissions.approve_work,
    "comment_on_expiry": submissions.comment_on_expiry,
    "reopen_assignment": submissions.reopen_assignment,
    "create_proposal": proposals.create_proposal,
    "accept_proposal": proposals.accept_proposal,
    "decline_proposal": proposals.decline_proposal,
    "withdraw_proposal": proposals.withdraw_proposal,
    "record_shipment": rewards.record_shipment,
    "acknowledge_receipt": rewards.acknowledge_receipt,
    "override_assignment": overrides.override_assignment,
}


class Subject(Protocol):
    """An assignment as the code under test runs it."""

    # How much later than due something may be recorded.
    tolerance: timedelta

    @property
    def assignment(self) -> Assignment: ...

    @property
    def transitions(self) -> list[Transition]: ...

    @property
    def notices(self) -> list[Notice]: ...

    def now(self) -> datetime: ...

    def send(self, update: str, command: object) -> Reason | None:
        """Why it was refused, or None."""

    def claim(self, mediator: str) -> Reason | None: ...

    def decide(self, mediator: str, decision: Decision) -> Reason | None: ...

    def withdraw(self, actor: str) -> Reason | None: ...

    def pass_time(self, until: datetime) -> None:
        """What is due on the way happens when it is due."""

    def wait_for(self, count: int) -> None:
        """Until so many transitions are recorded, without time passing."""


class Rules:
    """The pure rules, driven as the workflow drives them."""

    tolerance = timedelta()

    def __init__(self, terms: Terms, now: datetime) -> None:
        self._now = now
        self._dispute: Dispute | None = None
        self.money_is_sent = False
        self.transitions: list[Transition] = []
        self.notices: list[Notice] = []
        self.assignment, first = submissions.start("a1", "bea", terms, now)
        self._note(first)

    def now(self) -> datetime:
        return self._now

    def send(self, update: str, command: object) -> Reason | None:
        if isinstance(command, OpenDispute):
            return self._open(command)
        return self._try(lambda a: RULES[update](a, copy.deepcopy(command), self._now))

    def report_payout(self, reported: str) -> None:
        a, now = self.assignment, self._now
        if reported in ("SENT", "UNCLAIMED", "PAID", "FAILED"):
            self.money_is_sent = reported != "FAILED"
        if reported == "PAID":
            happened = rewards.report_reward_received(a, now)
        elif reported == "WRITTEN_OFF":
            happened = [rewards.report_reward_written_off(a, now)]
        elif reported == "ESCALATED":
            report = PayoutReport(PayoutState.BLOCKED, is_escalated=True)
            happened = rewards.report(a, report, now)
        else:
            happened = rewards.report(a, PayoutReport(PayoutState(reported), now), now)
        for one in happened:
            self._note(one)

    def _open(self, command: OpenDispute) -> Reason | None:
        def open_it(a: Assignment) -> Transition:
            self._dispute, transition = disputes.open_dispute(a, command, self._now)
            return transition

        return self._try(open_it)

    def claim(self, mediator: str) -> Reason | None:
        return self._mediate(lambda one: dispute_rules.claim(one, mediator, self._now))

    def decide(self, mediator: str, decision: Decision) -> Reason | None:
        return self._mediate(
            lambda one: dispute_rules.decide(one, mediator, copy.copy(decision), self._now)
        )

    def withdraw(self, actor: str) -> Reason | None:
        return self._mediate(lambda one: dispute_rules.withdraw(one, actor, self._now))

    def _mediate(self, act: Callable[[Dispute], None]) -> Reason | None:
        assert self._dispute is not None
        trial = copy.deepcopy(self._dispute)
        try:
            act(trial)
        except LiaisonError as error:
            return error.reason
        self._dispute = trial
        if trial.is_closed:
            self._close(trial)
        return None

    def _close(self, dispute: Dispute) -> None:
        a, decision = self.assignment, dispute.decision
        is_overtaken = self.money_is_sent and disputes.settlement(a, decision) is not None
        by, ground = dispute.mediator, dispute.ground
        self._note(
            disputes.close_dispute(a, decision, by, self._now, ground, is_overtaken=is_overtaken)
        )
        if is_overtaken:
            self._note(disputes.report_overtaken(a, self._now))

    def _try(self, act: Callable[[Assignment], Transition]) -> Reason | None:
        """On a copy first, as the workflow's validators do."""
        before = copy.deepcopy(self.assignment)
        try:
            transition = act(self.assignment)
        except LiaisonError as error:
            assert self.assignment == before, "a refusal left a trace"
            return error.reason
        self._note(transition)
        return None

    def _note(self, transition: Transition) -> None:
        following: Transition | None = transition
        while following is not None:
            self.transitions.append(following)
            self.notices += notices(self.assignment, following)
            following = rewards.follow_up(self.assignment, self._now)

    def pass_time(self, until: datetime) -> None:
        while (due := submissions.next_time(self.assignment)) is not None and due <= until:
            self._now = max(self._now, due)
            self._fire()
        self._now = until

    def sleep(self, until: datetime) -> None:
        """Advances time without firing clocks, as while workers are down."""
        self._now = until

    def _fire(self) -> None:
        transition, dispute = submissions.fire(self.assignment, self._now)
        assert (transition is None) is not (dispute is None)
        if transition is not None:
            self._note(transition)
        if dispute is not None:
            assert self._open(dispute) is None

    def wait_for(self, count: int) -> None:
        assert len(self.transitions) >= count, "it did not happen"
