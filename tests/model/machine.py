"""Brand, creator, operator, mediator and time, played at random against a subject and the plain
model at once. After each step both must say the same."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from servicekit.errors import Reason
from tests.model.comparing import compare
from tests.model.reference_assignment import (
    BRAND,
    CREATOR,
    MEDIATOR,
    OPERATOR,
    UNCONFIRMED,
    ReferenceAssignment,
)
from tests.model.subjects import Subject
from workflows.assignment.commands import (
    AcknowledgeReceipt,
    AnswerProposal,
    ApproveWork,
    CommentOnExpiry,
    CreateProposal,
    OpenDispute,
    OverrideAssignment,
    RecordShipment,
    ReopenAssignment,
    RequestChanges,
    SubmitWork,
)
from workflows.assignment.model import Action, Funding, ProposalKind, Requirement, State, Terms
from workflows.dispute.model import BRAND_GROUNDS, CREATOR_GROUNDS, Decision, Ground, Outcome
from workflows.policy import STANDARD, Policy, ReviewSilence

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SIDES = st.sampled_from([BRAND, CREATOR])
# A date that somebody asks for: so long after now or after the running clock's end.
ANCHORS = st.sampled_from(["now", "deadline"])
SPANS = st.sampled_from([-HOUR, timedelta(), HOUR, DAY, 2 * DAY, 20 * DAY])
REWARD_MINOR = 10_000
# How attempts to send money go; the last answer stays.
ANSWERS = [["PAID"], ["SENT"], ["FAILED", "SENT"], ["FAILED", "FAILED", "PAID"], ["SENT", "PAID"]]


class AssignmentMachine(RuleBasedStateMachine):
    """Subclasses bring the subject."""

    policy: Policy = STANDARD
    # A life's steps are few: whether money is due before the first of them.
    begins_due: bool = False

    def __init__(self) -> None:
        super().__init__()
        self.disputes = 0

    def begin(self, terms: Terms, answers: list[str]) -> Subject:
        """`answers` are how attempts to send money go."""
        raise NotImplementedError

    def start_time(self) -> datetime:
        raise NotImplementedError

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

    # Telling both

    def both(self, update: str, command: Any) -> bool:
        """Whether it was legal, on which both must agree."""
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
        self.come_to_rest()
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
        self.have_acted()
        return True

    def have_acted(self) -> None:
        """For what a subject does besides."""

    def come_to_rest(self) -> None:
        """What is due by now has happened."""
        self.model.now = self.subject.now()

    def catch_up(self, until: datetime) -> None:
        """The model lives through what the subject was to live through, and compares the times."""
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

    # The creator and the brand

    @rule(
        types=st.sampled_from([[], ["VIDEO"], ["VIDEO", "ARTICLE"], ["VIDEO", "LIST"]]),
        articles=st.sampled_from([[], ["x"], ["x", "y"]]),
        sealed=st.sampled_from([[], ["articles/x/revisions/r"]]),
    )
    def submit(self, types: list[str], articles: list[str], sealed: list[str]) -> None:
        command = SubmitWork(CREATOR, "Done", ["m1"], [], articles, types, sealed)
        self.both("submit_work", command)

    @precondition(lambda self: self.model.state in (State.IN_PROGRESS, State.CHANGES_REQUESTED))
    @rule()
    def submit_all(self) -> None:
        sealed = ["articles/x/revisions/r"]
        self.both("submit_work", SubmitWork(CREATOR, "Done", ["m1"], [], ["x"], [], sealed))

    @rule(number=st.integers(1, 4))
    def ask_for_changes(self, number: int) -> None:
        self.both("request_changes", RequestChanges(BRAND, "More", [f"req-{number}"]))

    @precondition(lambda self: self.model.state is State.IN_REVIEW)
    @rule()
    def ask_for_known_changes(self) -> None:
        known = next(iter(self.model.requirements.values()))
        self.both("request_changes", RequestChanges(BRAND, "More", [known]))

    @rule()
    def approve(self) -> None:
        self.both("approve_work", ApproveWork(BRAND))

    @rule(reason=st.sampled_from(["MATERIALS_NOT_PROVIDED", "EMERGENCY"]))
    def comment(self, reason: str) -> None:
        self.both("comment_on_expiry", CommentOnExpiry(CREATOR, reason, "So it was"))

    @rule(span=SPANS)
    def reopen(self, span: timedelta) -> None:
        date = self.subject.now() + span
        self.both("reopen_assignment", ReopenAssignment(BRAND, date, "Once more"))

    # Proposals

    @rule(
        kind=st.sampled_from(ProposalKind),
        actor=SIDES,
        anchor=ANCHORS,
        span=SPANS,
        texts=st.sampled_from([["Say it", "Sing it"], ["Dance it"], ["Show it", "Say it"]]),
    )
    def propose(
        self, kind: ProposalKind, actor: str, anchor: str, span: timedelta, texts: list[str]
    ) -> None:
        has_date = kind in (ProposalKind.EXTENSION, ProposalKind.EARLY_SHIPMENT)
        date = self.date(anchor, span) if has_date else None
        asked = texts if kind is ProposalKind.AMENDMENT else []
        self.both("create_proposal", CreateProposal(actor, kind, "Please", date, asked))

    @precondition(lambda self: self.model.state in (State.IN_PROGRESS, State.CHANGES_REQUESTED))
    @precondition(lambda self: self.model.is_for_product and not self.model.products)
    @rule(actor=SIDES, span=st.sampled_from([HOUR, DAY, 3 * DAY]))
    def agree_on_shipment(self, actor: str, span: timedelta) -> None:
        date = self.subject.now() + span
        command = CreateProposal(actor, ProposalKind.EARLY_SHIPMENT, "Please", date)
        if self.both("create_proposal", command):
            other = CREATOR if actor == BRAND else BRAND
            number = len(self.model.proposals)
            self.both("accept_proposal", AnswerProposal(other, number))

    @precondition(lambda self: self.model.proposals)
    @rule(
        verb=st.sampled_from(["accept_proposal", "decline_proposal", "withdraw_proposal"]),
        actor=SIDES,
        back=st.integers(-1, 3),
    )
    def answer(self, verb: str, actor: str, back: int) -> None:
        self.both(verb, AnswerProposal(actor, max(0, len(self.model.proposals) - back)))

    @precondition(lambda self: self.model.pending())
    @rule(verb=st.sampled_from(["accept_proposal", "accept_proposal", "decline_proposal"]))
    def answer_well(self, verb: str) -> None:
        number = self.model.pending()[-1]
        proposer = self.model.proposals[number - 1].proposer
        self.both(verb, AnswerProposal(CREATOR if proposer == BRAND else BRAND, number))

    def date(self, anchor: str, span: timedelta) -> datetime:
        clock, now = self.model.clock, self.subject.now()
        is_anchored = anchor == "deadline" and clock is not None
        return (clock.deadline(now) if is_anchored and clock else now) + span

    # Products

    @rule(actor=st.sampled_from([BRAND, OPERATOR]))
    def ship(self, actor: str) -> None:
        self.both("record_shipment", RecordShipment(actor, "DHL", "123"))

    @rule()
    def receive(self) -> None:
        self.both("acknowledge_receipt", AcknowledgeReceipt(CREATOR))

    # Operators

    @rule(action=st.sampled_from(Action), anchor=ANCHORS, span=SPANS)
    def override(self, action: Action, anchor: str, span: timedelta) -> None:
        has_date = action in (Action.MOVE_CLOCK, Action.REOPEN)
        date = self.date(anchor, span) if has_date else None
        command = OverrideAssignment(OPERATOR, action, "It has to go on", date)
        self.both("override_assignment", command)

    # Disputes

    @rule(ground=st.sampled_from(Ground), opener=SIDES)
    def dispute(self, ground: Ground, opener: str) -> None:
        self._open(ground, opener)

    @precondition(lambda self: self.model.dispute is None and not self.model.is_over)
    @rule(data=st.data())
    def dispute_well(self, data: st.DataObject) -> None:
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
        self.both("open_dispute", OpenDispute(id_, ground, "Not right", opener))

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
    def decide_well(self, outcome: Outcome, span: timedelta) -> None:
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
        """Whether the reward is beyond what a mediator can decide."""
        raise NotImplementedError

    def _decide(self, mediator: str, decision: Decision) -> bool:
        is_sent = self.is_money_sent()
        return self.agree(
            lambda: self.model.refuse_decision(mediator, decision),
            lambda: self.subject.decide(mediator, decision),
            lambda: self.model.decide(decision, is_sent=is_sent),
        )

    # Time

    @rule(span=st.sampled_from([HOUR, DAY, 3 * DAY, 6 * DAY, 40 * DAY]))
    def wait(self, span: timedelta) -> None:
        self.pass_time(self.subject.now() + span)

    @precondition(lambda self: self.model.next_time() is not None)
    @rule(span=st.sampled_from([timedelta(minutes=-2), timedelta(), timedelta(seconds=1)]))
    def wait_for_the_clock(self, span: timedelta) -> None:
        """To just before, exactly to, or just beyond."""
        due = self.model.next_time()
        assert due is not None
        if (until := due + span) > self.subject.now():
            self.pass_time(until)

    def pass_time(self, until: datetime) -> None:
        self.come_to_rest()
        self.subject.pass_time(until)
        self.catch_up(until)

    # What always holds

    @invariant()
    def both_are_the_same(self) -> None:
        if hasattr(self, "model"):
            compare(self.model, self.subject)

    def can_go_on(self) -> None:
        """Time, an operator or a mediator can always move it."""
        model = self.model
        if model.is_over or model.dispute is not None or model.next_time() is not None:
            return
        actions = [action for action in Action if self.helps(action)]
        assert actions or (model.is_for_product and not model.product), "it is stuck"

    def helps(self, action: Action) -> bool:
        command = OverrideAssignment(OPERATOR, action, "", self.model.now + DAY)
        return not self.model.refusals(command)

    def end(self) -> None:
        """Every life ends: the mediator decides, products arrive, and time passes."""
        for _ in range(20):
            if self.model.is_over:
                return
            if self.model.dispute is not None:
                silent = self.model.dispute.ground is Ground.REVIEW_SILENCE
                self.decide_well(Outcome.PAY_IN_FULL if silent else Outcome.DISMISS, HOUR)
            elif (due := self.model.next_time()) is not None:
                self.pass_time(max(due, self.subject.now()) + HOUR)
            elif self.model.state in UNCONFIRMED:
                self.ship(OPERATOR)  # the creator's time waits for a product
            else:
                self.reward()
        raise AssertionError("it does not end")

    def reward(self) -> None:
        """What a subject does when only the reward is missing."""
        if self.model.is_for_product:
            self.ship(OPERATOR)
