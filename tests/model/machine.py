"""Brand, creator, operator, mediator and time, chosen at random, against a subject and the
reference model at once. After each step both must be equal."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from tests.model.comparing_machine import (
    ANCHORS,
    ANSWERS,
    DAY,
    HOUR,
    REWARD_MINOR,
    SPANS,
)
from tests.model.dispute_rules import DisputeRules
from tests.model.party_rules import PartyRules
from tests.model.reference.assignment import ReferenceAssignment
from tests.model.reference.state import OPERATOR, UNCONFIRMED
from workflows.assignment.commands import (
    OverrideAssignment,
)
from workflows.assignment.model import Action, Funding, Requirement, Terms
from workflows.dispute.model import Ground, Outcome
from workflows.policy import STANDARD, Policy, ReviewSilence


class AssignmentMachine(PartyRules, DisputeRules):
    """Adds the terms, operators, time and the end of an example; subclasses add the subject."""

    policy: Policy = STANDARD
    # Whether the reward is due before the first step; an example has few steps.
    begins_due: bool = False

    @initialize(
        is_product=st.booleans(),
        is_escrow=st.booleans(),
        escalates=st.booleans(),
        is_all=st.booleans(),
        deadline=st.sampled_from([DAY, 4 * DAY, 10 * DAY]),
        answers=st.sampled_from(ANSWERS),
    )
    def select(
        self,
        *,
        is_product: bool,
        is_escrow: bool,
        escalates: bool,
        is_all: bool,
        deadline: timedelta,
        answers: list[str],
    ) -> None:
        silence = ReviewSilence.ESCALATE if escalates else ReviewSilence.AUTO_APPROVE
        terms = Terms(
            task_id="t1",
            brand_id="acme",
            requirements=[Requirement("req-1", "Show it"), Requirement("req-2", "Say it")],
            currency="" if is_product else "USD",
            reward_minor=0 if is_product else REWARD_MINOR,
            funding=Funding.ESCROW if is_escrow else Funding.ON_APPROVAL,
            submission_deadline_time=self.start_time() + deadline,
            policy=replace(self.policy, review_silence=silence),
            content_types=["VIDEO", "ARTICLE"],
            completion_rule="ALL" if is_all else "ANY",
            product_title="A lamp" if is_product else "",
        )
        self.subject = self.begin(terms, answers)
        self.subject.wait_for(1)
        self.model = ReferenceAssignment(terms, self.subject.transitions[0].time)
        if self.begins_due:
            self.submit_all()
            self.approve()

    @rule(action=st.sampled_from(Action), anchor=ANCHORS, span=SPANS)
    def override(self, action: Action, anchor: str, span: timedelta) -> None:
        has_date = action in (Action.MOVE_CLOCK, Action.REOPEN)
        date = self.date(anchor, span) if has_date else None
        command = OverrideAssignment(OPERATOR, action, "It has to go on", date)
        self.run_on_both("override_assignment", command)

    @rule(span=st.sampled_from([HOUR, DAY, 3 * DAY, 6 * DAY, 40 * DAY]))
    def wait(self, span: timedelta) -> None:
        self.pass_time(self.subject.now() + span)

    @precondition(lambda self: self.model.next_time() is not None)
    @rule(span=st.sampled_from([timedelta(minutes=-2), timedelta(), timedelta(seconds=1)]))
    def wait_for_the_clock(self, span: timedelta) -> None:
        """Waits until just before, exactly at, or just after the due time."""
        due = self.model.next_time()
        assert due is not None
        if (until := due + span) > self.subject.now():
            self.pass_time(until)

    def can_proceed(self) -> None:
        """Time, an operator or a mediator can always advance an assignment."""
        model = self.model
        if model.is_over or model.dispute is not None or model.next_time() is not None:
            return
        actions = [action for action in Action if self.helps(action)]
        assert actions or (model.is_for_product and not model.product), "no action can advance it"

    def helps(self, action: Action) -> bool:
        command = OverrideAssignment(OPERATOR, action, "", self.model.now + DAY)
        return not self.model.refusals(command)

    def end(self) -> None:
        """Brings the assignment to its end: mediators decide, products arrive, and time passes."""
        for _ in range(20):
            if self.model.is_over:
                return
            if self.model.dispute is not None:
                silent = self.model.dispute.ground is Ground.REVIEW_SILENCE
                self.make_valid_decision(Outcome.PAY_IN_FULL if silent else Outcome.DISMISS, HOUR)
            elif (due := self.model.next_time()) is not None:
                self.pass_time(max(due, self.subject.now()) + HOUR)
            elif self.model.state in UNCONFIRMED:
                self.ship(OPERATOR)  # the creator's clock is held until a product is shipped
            else:
                self.reward()
        raise AssertionError("it does not end")

    def reward(self) -> None:
        """Called when only the reward is missing."""
        if self.model.is_for_product:
            self.ship(OPERATOR)
