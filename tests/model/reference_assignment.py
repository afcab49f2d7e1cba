"""The life of an assignment in plain words: what is legal, what it does, and what time does.

A second opinion on the rules: written from the promises themselves, it shares nothing with the
workflow but the names of commands, states and events. It says of each command why it may be refused
(any of several reasons will do), and keeps the history that it expects.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from servicekit.errors import Reason
from tests.model.reference_clock import ReferenceClock
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
from workflows.assignment.model import (
    Action,
    ClockKind,
    ConfirmedBy,
    Event,
    Fault,
    Holder,
    ProposalKind,
    ProposalState,
    State,
    Terms,
)
from workflows.dispute.model import Decision, Ground, Outcome
from workflows.policy import ReviewSilence

BRAND, CREATOR, MEDIATOR, OPERATOR, SYSTEM = (
    "brands/acme",
    "creators/bea",
    "staff/mia",
    "staff/olga",
    "system",
)
OPEN_WORK = {State.IN_PROGRESS, State.CHANGES_REQUESTED}
UNCONFIRMED = OPEN_WORK | {State.IN_REVIEW}
# Where each kind of proposal makes sense.
WAITS = {
    ProposalKind.EXTENSION: OPEN_WORK,
    ProposalKind.EARLY_SHIPMENT: OPEN_WORK,
    ProposalKind.AMENDMENT: UNCONFIRMED,
    ProposalKind.CANCELLATION: UNCONFIRMED,
}
FREEZABLE = {ClockKind.SUBMISSION, ClockKind.REVIEW, ClockKind.REWORK}
CREATORS_OWN = {ClockKind.SUBMISSION, ClockKind.REWORK}
ILLEGAL = {Reason.ILLEGAL_STATE}
LEGAL: set[Reason] = set()
# Each side proposes and disputes no more often than that.
OFTEN = 10


@dataclass
class ReferenceProposal:
    kind: ProposalKind
    proposer: str
    date: datetime | None
    texts: list[str]
    state: ProposalState = ProposalState.PENDING
    ids: list[str] = field(default_factory=list)


@dataclass
class ReferenceDispute:
    ground: Ground
    opener: str
    outcomes: set[Outcome]
    # What a part of the reward is measured against.
    reward_minor: int
    mediator: str = ""


@dataclass(frozen=True)
class ExpectedTransition:
    event: Event
    from_state: State | None
    to_state: State
    actor: str
    time: datetime


class ReferenceAssignment:
    def __init__(self, terms: Terms, now: datetime) -> None:
        self.terms, self.now = terms, now
        self.state = State.IN_PROGRESS
        self.deadline = terms.submission_deadline_time
        self.clock: ReferenceClock | None = ReferenceClock(ClockKind.SUBMISSION, now, self.deadline)
        self.first_reward_due = now
        self.versions = 0
        self.rounds = 0
        self.requirements = {one.text: one.id for one in terms.requirements}
        self.last_requirement = len(terms.requirements)
        self.confirmed_by: ConfirmedBy | None = None
        self.payable_minor = 0
        self.is_overdue = False
        self.dispute: ReferenceDispute | None = None
        self.fault: Fault | None = None
        self.has_commented = False
        self.proposals: list[ReferenceProposal] = []
        self.agreed_shipment: datetime | None = None
        self.is_missed = False
        # Of each product: whether it was received, and whether it was replaced.
        self.products: list[list[bool]] = []
        self.history: list[ExpectedTransition] = []
        self._add_transition(Event.CREATOR_SELECTED, BRAND, first=True)

    # What can be asked of it

    @property
    def is_for_product(self) -> bool:
        return bool(self.terms.product_title)

    @property
    def is_over(self) -> bool:
        ended = {State.COMPLETED, State.EXPIRED, State.CANCELLED}
        return self.state in ended and self.clock is None and self.dispute is None

    @property
    def product(self) -> list[bool] | None:
        """The one that counts."""
        return next((one for one in reversed(self.products) if not one[1]), None)

    @property
    def is_late(self) -> bool:
        return self.clock is not None and self.clock.is_due(self.now)

    def next_time(self) -> datetime | None:
        times = (self.clock.next_time if self.clock else None, self._shipment_time())
        return min((time for time in times if time is not None), default=None)

    def pending(self) -> list[int]:
        return [
            number
            for number, one in enumerate(self.proposals, 1)
            if one.state is ProposalState.PENDING
        ]

    # Commands

    def refusals(self, command: object) -> set[Reason]:
        """Why the command may be refused now; when empty it must succeed."""
        checks = {
            SubmitWork: self._refuse_submit,
            RequestChanges: self._refuse_changes,
            ApproveWork: lambda _: self._refuse_unless(State.IN_REVIEW),
            CommentOnExpiry: self._refuse_comment,
            ReopenAssignment: self._refuse_reopen,
            CreateProposal: self._refuse_proposal,
            RecordShipment: self._refuse_shipment,
            AcknowledgeReceipt: self._refuse_receipt,
            OverrideAssignment: self._refuse_override,
            OpenDispute: self._refuse_dispute,
        }
        return checks[type(command)](command)  # type: ignore[operator]  # each takes its own

    def apply(self, command: object) -> None:
        """What a legal command does."""
        acts = {
            SubmitWork: self._submit,
            RequestChanges: self._change,
            ApproveWork: lambda one: self._approve(ConfirmedBy.BRAND, one.actor),
            CommentOnExpiry: self._comment,
            ReopenAssignment: lambda one: self._reopen(one.deadline_time, one.actor),
            CreateProposal: self._propose,
            RecordShipment: self._ship,
            AcknowledgeReceipt: self._receive,
            OverrideAssignment: self._override,
            OpenDispute: lambda one: self._dispute(one.ground, one.opener),
        }
        acts[type(command)](command)  # type: ignore[operator]  # each takes its own

    def _refuse_unless(self, *states: State) -> set[Reason]:
        """A side can act in these states, in time, and not while a mediator is to decide."""
        fits = self.state in states and self.dispute is None and not self.is_late
        return LEGAL if fits else ILLEGAL

    def _refuse_submit(self, command: SubmitWork) -> set[Reason]:
        asked = set(self.terms.content_types)
        given = set(command.content_types) or asked
        is_all = self.terms.completion_rule == "ALL"
        incomplete = not given <= asked or (is_all and given != asked)
        nothing_written = "ARTICLE" in given and not command.article_ids
        unsealed = len(command.article_ids) != len(command.article_revisions)
        return (
            self._refuse_unless(*OPEN_WORK)
            | ({Reason.CONTENT_INCOMPLETE} if incomplete or nothing_written else LEGAL)
            | ({Reason.MEDIA_NOT_ACCEPTED} if unsealed else LEGAL)
        )

    def _submit(self, command: SubmitWork) -> None:
        self.versions += 1
        self.state, was = State.IN_REVIEW, self.state
        self._start_review()
        self._add_transition(Event.WORK_SUBMITTED, command.actor, was)

    def _start_review(self) -> None:
        policy = self.terms.policy
        reminders = [self.now + timedelta(seconds=one) for one in policy.review_reminders_seconds]
        due = policy.review_window.after(self.now)
        self.clock = ReferenceClock(ClockKind.REVIEW, self.now, due, reminders)

    def _refuse_changes(self, command: RequestChanges) -> set[Reason]:
        reasons = self._refuse_unless(State.IN_REVIEW)
        if self.rounds >= self.terms.policy.max_revision_rounds:
            reasons = reasons | {Reason.REVISION_LIMIT_REACHED}
        if not set(command.requirement_ids) <= set(self.requirements.values()):
            reasons = reasons | {Reason.UNKNOWN_REQUIREMENT}
        return reasons

    def _change(self, command: RequestChanges) -> None:
        self.rounds += 1
        due = max(self.deadline, self.terms.policy.rework_window.after(self.now))
        self.state, was = State.CHANGES_REQUESTED, self.state
        self._start_creators(ClockKind.REWORK, due)
        self._add_transition(Event.CHANGES_REQUESTED, command.actor, was)

    def _start_creators(self, kind: ClockKind, due: datetime) -> None:
        """The creator is not to wait for a product at its own cost."""
        self.clock = ReferenceClock(kind, self.now, due)
        if self.is_missed:
            self.clock.hold(Holder.MISSED_SHIPMENT, self.now)

    def _approve(self, by: ConfirmedBy, actor: str) -> None:
        self.confirmed_by = by
        self.payable_minor = self.terms.reward_minor
        self.state, was = State.APPROVED, self.state
        self._start_reward()
        if self.is_missed:
            self._await_reward(self.now)  # what both agreed on is late at once
        self._add_transition(Event.WORK_APPROVED, actor, was)

    def _start_reward(self) -> None:
        due = self.terms.policy.reward_window.after(self.now)
        if self.agreed_shipment is not None and not self.products:
            due = self.agreed_shipment if self.agreed_shipment > self.now else due
        self._await_reward(due)

    def _await_reward(self, due: datetime) -> None:
        self.is_overdue = False
        self.first_reward_due = due
        self.clock = ReferenceClock(ClockKind.REWARD, self.now, due)

    def _refuse_comment(self, _: CommentOnExpiry) -> set[Reason]:
        """What is owed can be said in a dispute too."""
        is_owed = self.state is State.EXPIRED and not self.has_commented and not self.is_over
        return LEGAL if is_owed and (self.dispute or not self.is_late) else ILLEGAL

    def _comment(self, command: CommentOnExpiry) -> None:
        self.has_commented = True
        if command.reason == "MATERIALS_NOT_PROVIDED":
            self.fault = Fault.BRAND
        self._add_transition(Event.EXPIRY_COMMENTED, command.actor)

    def _refuse_reopen(self, command: ReopenAssignment) -> set[Reason]:
        reasons = ILLEGAL if self.is_over else self._refuse_unless(State.EXPIRED)
        return reasons | self._refuse_past(command.deadline_time)

    def _refuse_past(self, date: datetime | None) -> set[Reason]:
        return LEGAL if date is not None and date > self.now else {Reason.DEADLINE_NOT_LATER}

    def _reopen(self, date: datetime, actor: str) -> None:
        self.deadline = date
        self.state, was = State.IN_PROGRESS, self.state
        self._forget_expiry()
        self._start_creators(ClockKind.SUBMISSION, date)
        self._add_transition(Event.REOPENED, actor, was)

    def _forget_expiry(self) -> None:
        """Should it expire again, that is another story with a comment of its own."""
        self.fault, self.has_commented = None, False

    # Proposals

    def _refuse_proposal(self, command: CreateProposal) -> set[Reason]:
        reasons = set(self._refuse_unless(*WAITS[command.kind]))
        sides = {ProposalKind.EXTENSION: CREATOR, ProposalKind.AMENDMENT: BRAND}
        if command.actor != sides.get(command.kind, command.actor):
            reasons.add(Reason.ROLE_NOT_ALLOWED)
        if any(self.proposals[number - 1].kind is command.kind for number in self.pending()):
            reasons.add(Reason.PROPOSAL_PENDING)
        if sum(one.proposer == command.actor for one in self.proposals) >= OFTEN:
            reasons.add(Reason.LIMIT_REACHED)
        return reasons | self._refuse_terms(command.kind, command.deadline_time)

    def _refuse_terms(self, kind: ProposalKind, date: datetime | None) -> set[Reason]:
        deadline = self.clock.deadline(self.now) if self.clock else self.now
        if kind is ProposalKind.EXTENSION and (date is None or date <= deadline):
            return {Reason.DEADLINE_NOT_LATER}
        if kind is not ProposalKind.EARLY_SHIPMENT:
            return LEGAL
        reasons = set(self._refuse_past(date))
        if not self.is_for_product:
            reasons.add(Reason.REWARD_KIND_MISMATCH)
        if self.products:
            reasons.add(Reason.ILLEGAL_STATE)
        if date is None or date >= deadline:
            reasons.add(Reason.SHIPMENT_NOT_AGREED)
        return reasons

    def _propose(self, command: CreateProposal) -> None:
        proposal = ReferenceProposal(
            command.kind, command.actor, command.deadline_time, command.requirement_texts
        )
        for text in proposal.texts:
            if text not in self.requirements:
                self.last_requirement += 1
            proposal.ids.append(self.requirements.get(text, f"req-{self.last_requirement}"))
        self.proposals.append(proposal)
        self._add_transition(Event.PROPOSAL_MADE, command.actor)

    def refuse_answer(self, verb: str, command: AnswerProposal) -> set[Reason]:
        if not 1 <= command.number <= len(self.proposals):
            return {Reason.NOT_FOUND}
        proposal = self.proposals[command.number - 1]
        reasons = set(self._refuse_unless(*WAITS[proposal.kind]))
        if proposal.state is not ProposalState.PENDING:
            reasons |= ILLEGAL
        if (command.actor == proposal.proposer) is not (verb == "withdraw_proposal"):
            reasons.add(Reason.NOT_YOURS)
        if verb == "accept_proposal":
            reasons |= self._refuse_terms(proposal.kind, proposal.date)
        return reasons

    def answer(self, verb: str, command: AnswerProposal) -> None:
        proposal = self.proposals[command.number - 1]
        proposal.state = {
            "accept_proposal": ProposalState.ACCEPTED,
            "decline_proposal": ProposalState.DECLINED,
            "withdraw_proposal": ProposalState.WITHDRAWN,
        }[verb]
        if proposal.state is not ProposalState.ACCEPTED:
            self._add_transition(Event[f"PROPOSAL_{proposal.state}"], command.actor)
        elif proposal.kind is ProposalKind.CANCELLATION:
            self._cancel(command.actor)
        else:
            self._bind(proposal)
            self._add_transition(Event.PROPOSAL_ACCEPTED, command.actor)

    def _bind(self, proposal: ReferenceProposal) -> None:
        if proposal.kind is ProposalKind.AMENDMENT:
            self.requirements = dict(zip(proposal.texts, proposal.ids, strict=True))
        elif proposal.kind is ProposalKind.EXTENSION and self.clock and proposal.date:
            self.clock.move(proposal.date, self.now)
            self.deadline = proposal.date
        elif proposal.kind is ProposalKind.EARLY_SHIPMENT:
            self.agreed_shipment = proposal.date
            self._end_wait_for_product()

    def _cancel(self, actor: str) -> None:
        self.state, was = State.CANCELLED, self.state
        self.clock = None
        self._add_transition(Event.CANCELLED, actor, was)

    # Products

    def _refuse_shipment(self, _: RecordShipment) -> set[Reason]:
        reasons: set[Reason] = set()
        if not self.is_for_product:
            reasons.add(Reason.REWARD_KIND_MISMATCH)
        if self.product is not None or self.state not in UNCONFIRMED | {State.APPROVED}:
            reasons |= ILLEGAL
        if self.state is not State.APPROVED and self.agreed_shipment is None:
            reasons.add(Reason.SHIPMENT_NOT_AGREED)
        return reasons

    def _ship(self, command: RecordShipment) -> None:
        missed = self._shipment_time()
        if missed is not None and missed <= self.now:
            self._hold_for_product(missed)  # nobody had looked at the clock yet
        self.products.append([False, False])
        self._end_wait_for_product()
        self._add_transition(Event.PRODUCT_SHIPPED, command.actor)

    def _refuse_receipt(self, _: AcknowledgeReceipt) -> set[Reason]:
        reasons: set[Reason] = set()
        if not self.is_for_product:
            reasons.add(Reason.REWARD_KIND_MISMATCH)
        open_states = UNCONFIRMED | {State.APPROVED, State.REWARDED}
        if self.product is None or self.product[0] or self.state not in open_states:
            reasons |= ILLEGAL
        return reasons

    def _receive(self, command: AcknowledgeReceipt) -> None:
        assert self.product is not None
        self.product[0] = True
        self._add_transition(Event.PRODUCT_RECEIVED, command.actor)

    def _shipment_time(self) -> datetime | None:
        """When an agreed date is missed."""
        waits = self.state in UNCONFIRMED and not self.products and not self.is_missed
        return self.agreed_shipment if waits else None

    def _hold_for_product(self, missed: datetime) -> None:
        if self.clock is not None and self.clock.kind in CREATORS_OWN:
            self.clock.hold(Holder.MISSED_SHIPMENT, max(missed, self.history[-1].time))

    def _end_wait_for_product(self) -> None:
        self.is_missed = False
        self._let_go(Holder.MISSED_SHIPMENT)

    def _let_go(self, holder: Holder) -> None:
        """The deadline moves with the creator's clock."""
        if self.clock is None or not self.clock.release(holder, self.now):
            return
        if self.clock.kind is ClockKind.SUBMISSION:
            self.deadline = self.clock.due

    # Money, as the payout tells of it

    def money(self, news: str) -> None:
        """SENT, UNCLAIMED, PAID, FAILED, WRITTEN_OFF, or ESCALATED: operators must look at it."""
        if news == "ESCALATED":
            self._add_transition(Event.PAYOUT_ESCALATED, SYSTEM)
            return
        if news == "WRITTEN_OFF":
            self.state, was, self.clock = State.CANCELLED, self.state, None
            self._add_transition(Event.REWARD_WRITTEN_OFF, SYSTEM, was)
            return
        if news == "FAILED":
            was = self.state
            if self.state in (State.REWARDED, State.COMPLETED):
                self.state = State.APPROVED
                if self.is_overdue:
                    self.clock = None  # late it was, and late it is
                elif self.first_reward_due > self.now:
                    # An attempt that fails late does not put the reward off.
                    self.clock = ReferenceClock(ClockKind.REWARD, self.now, self.first_reward_due)
                else:
                    self._start_reward()
            self._add_transition(Event.PAYOUT_FAILED, SYSTEM, was)
            return
        if self.state is State.APPROVED:
            self._sent()
        if news == "UNCLAIMED":
            self._add_transition(Event.REWARD_UNCLAIMED, SYSTEM)
        if news == "PAID" and self.state is State.REWARDED:
            self._complete(SYSTEM)

    def _sent(self) -> None:
        self.state, was = State.REWARDED, self.state
        due = self.terms.policy.completion_window.after(self.now)
        self.clock = ReferenceClock(ClockKind.COMPLETION, self.now, due)
        self._add_transition(Event.REWARD_SENT, SYSTEM, was)

    def _complete(self, actor: str) -> None:
        self.state, was = State.COMPLETED, self.state
        due = self.terms.policy.dispute_window.after(self.now)
        self.clock = ReferenceClock(ClockKind.DISPUTE_WINDOW, self.now, due)
        self._add_transition(Event.COMPLETED, actor, was)

    # Operators

    def _refuse_override(self, command: OverrideAssignment) -> set[Reason]:
        action, reasons = command.action, set()
        if action is Action.RETRY_REWARD:
            if self.state is not State.APPROVED:
                reasons |= ILLEGAL
            if self.is_for_product:
                reasons.add(Reason.REWARD_KIND_MISMATCH)
            return reasons
        if self.dispute is not None or not self._has_use(action):
            reasons |= ILLEGAL
        if action in (Action.MOVE_CLOCK, Action.REOPEN):
            reasons |= self._refuse_past(command.deadline_time)
        return reasons

    def _has_use(self, action: Action) -> bool:
        state = self.state
        unsent = state is State.APPROVED and self.is_for_product and self.product is None
        return {
            Action.MOVE_CLOCK: self.clock is not None,
            Action.APPROVE: state is State.IN_REVIEW,
            Action.RETURN_TO_REVIEW: state is State.CHANGES_REQUESTED and self.versions > 0,
            Action.EXPIRE: state is State.IN_PROGRESS
            or (state is State.CHANGES_REQUESTED and self.versions == 0),
            Action.REOPEN: state is State.EXPIRED and not self.is_over,
            Action.CANCEL: state in UNCONFIRMED or unsent,
            Action.COMPLETE: state is State.REWARDED,
            Action.CLOSE: state in (State.EXPIRED, State.COMPLETED) and not self.is_over,
        }[action]

    def _override(self, command: OverrideAssignment) -> None:
        actor, date = command.actor, command.deadline_time
        match command.action:
            case Action.MOVE_CLOCK:
                self._move_clock(date or self.now, actor)
            case Action.APPROVE:
                self._approve(ConfirmedBy.OPERATOR, actor)
            case Action.RETURN_TO_REVIEW:
                self._return_to_review(actor)
            case Action.EXPIRE:
                self._expire(actor)
            case Action.REOPEN:
                self._reopen(date or self.now, actor)
            case Action.CANCEL:
                self._cancel(actor)
            case Action.RETRY_REWARD:
                self._add_transition(Event.REWARD_RETRIED, actor)
            case Action.COMPLETE:
                self._complete(actor)
            case Action.CLOSE:
                self.clock = None
                self._add_transition(Event.CLOSED, actor)

    def _move_clock(self, date: datetime, actor: str) -> None:
        assert self.clock is not None
        self.clock.move(date, self.now)
        if self.clock.kind is ClockKind.SUBMISSION:
            self.deadline = date
        elif self.clock.kind is ClockKind.REWARD:
            self.first_reward_due = date
        self._add_transition(Event.CLOCK_MOVED, actor)

    def _return_to_review(self, actor: str) -> None:
        self.state, was = State.IN_REVIEW, self.state
        self._start_review()
        self._add_transition(Event.REWORK_LAPSED, actor, was)

    def _expire(self, actor: str) -> None:
        self.state, was = State.EXPIRED, self.state
        self.fault = Fault.BRAND if self.is_missed else Fault.CREATOR
        self.has_commented = False
        due = self.terms.policy.reopen_window.after(self.now)
        self.clock = ReferenceClock(ClockKind.REOPEN, self.now, due)
        self._add_transition(Event.EXPIRED, actor, was)

    # Disputes

    def _refuse_dispute(self, command: OpenDispute) -> set[Reason]:
        reasons: set[Reason] = set()
        if self.dispute is not None:
            reasons.add(Reason.DISPUTE_ALREADY_OPEN)
        if self.is_over:
            reasons |= ILLEGAL
        if (
            sum(
                (one.event, one.actor) == (Event.DISPUTE_OPENED, command.opener)
                for one in self.history
            )
            >= OFTEN
        ):
            reasons.add(Reason.LIMIT_REACHED)
        side, holds = {
            Ground.LATE_REWARD: (CREATOR, self.is_overdue),
            Ground.WRONG_PRODUCT: (CREATOR, self.product is not None or self.is_missed),
            Ground.UNFAIR_CHANGE_REQUEST: (CREATOR, self.state is State.CHANGES_REQUESTED),
            Ground.MATERIALS_NOT_PROVIDED: (
                CREATOR,
                self.state in (State.IN_PROGRESS, State.EXPIRED),
            ),
            Ground.WORK_DOES_NOT_CONFORM: (
                BRAND,
                self.state is State.IN_REVIEW
                and self.rounds >= self.terms.policy.max_revision_rounds,
            ),
            Ground.FRAUD: (BRAND, True),
            Ground.REVIEW_SILENCE: (SYSTEM, True),
        }[command.ground]
        if command.opener != side or not holds:
            reasons.add(Reason.DISPUTE_NOT_ALLOWED)
        return reasons

    def _dispute(self, ground: Ground, opener: str) -> None:
        if self.confirmed_by is not None:
            outcomes = {Outcome.PAY_IN_FULL, Outcome.DISMISS}
            is_held = opener == BRAND and self.state is State.APPROVED
            if is_held and not self.is_for_product:  # it may not have been sent yet
                outcomes |= {Outcome.PAY_PARTIAL, Outcome.CANCEL_WITHOUT_PAY}
        else:
            outcomes = set(Outcome) - ({Outcome.PAY_PARTIAL} if self.is_for_product else set())
        reward_minor = self.payable_minor or self.terms.reward_minor
        self.dispute = ReferenceDispute(ground, opener, outcomes, reward_minor)
        if self.clock is not None and self.clock.kind in FREEZABLE:
            self.clock.hold(Holder.DISPUTE, self.now)
        self._add_transition(Event.DISPUTE_OPENED, opener)

    def refuse_claim(self) -> set[Reason]:
        return LEGAL if self.dispute and not self.dispute.mediator else ILLEGAL

    def refuse_withdrawal(self, actor: str) -> set[Reason]:
        assert self.dispute is not None
        return LEGAL if actor == self.dispute.opener else {Reason.NOT_YOURS}

    def refuse_decision(self, mediator: str, decision: Decision) -> set[Reason]:
        assert self.dispute is not None
        if not self.dispute.mediator:
            return ILLEGAL
        reasons: set[Reason] = set()
        if mediator != self.dispute.mediator:
            reasons.add(Reason.NOT_YOURS)
        if decision.outcome not in self.dispute.outcomes:
            reasons.add(Reason.OUTCOME_NOT_ALLOWED)
        amount, date = decision.amount_minor, decision.deadline_time
        fits_amount = amount is None
        if decision.outcome is Outcome.PAY_PARTIAL:
            fits_amount = amount is not None and 0 < amount < self.dispute.reward_minor
        fits_date = date is None
        if decision.outcome is Outcome.REDO:
            fits_date = date is not None and date > self.now
        return reasons if fits_amount and fits_date else reasons | {Reason.INVALID_FIELDS}

    def withdraw(self) -> None:
        assert self.dispute is not None
        opener, self.dispute = self.dispute.opener, None
        self._let_go(Holder.DISPUTE)
        self._add_transition(Event.DISPUTE_WITHDRAWN, opener)

    def decide(self, decision: Decision, *, is_sent: bool) -> None:
        """`is_sent`: the money is beyond what can be decided."""
        assert self.dispute is not None
        dispute, self.dispute = self.dispute, None
        self._let_go(Holder.DISPUTE)
        was = self.state
        lowers = decision.outcome in (Outcome.PAY_PARTIAL, Outcome.CANCEL_WITHOUT_PAY)
        if self.payable_minor and lowers and is_sent:
            self._add_transition(Event.DISPUTE_RESOLVED, dispute.mediator)
            self._add_transition(Event.DECISION_OVERTAKEN, SYSTEM)
            return
        match decision.outcome:
            case Outcome.PAY_IN_FULL | Outcome.PAY_PARTIAL:
                self._grant(dispute.ground, decision.amount_minor)
            case Outcome.REDO:
                if self.product is not None and dispute.ground is Ground.WRONG_PRODUCT:
                    self.product[1] = True
                self.state = State.CHANGES_REQUESTED
                self._forget_expiry()
                self._start_creators(ClockKind.REWORK, decision.deadline_time or self.now)
            case Outcome.CANCEL_WITHOUT_PAY:
                self.state, self.clock = State.CANCELLED, None
        self._add_transition(Event.DISPUTE_RESOLVED, dispute.mediator, was)

    def _grant(self, ground: Ground, amount_minor: int | None) -> None:
        """The creator is paid, or gets the right product."""
        is_confirmed = self.confirmed_by is not None
        if is_confirmed and not self.is_for_product:
            self.payable_minor = amount_minor or self.payable_minor
            return  # it is being paid
        if self.product is not None and ground is Ground.WRONG_PRODUCT:
            self.product[1] = True
        elif self.product is not None and is_confirmed:
            return  # it is on its way, and the right one
        if not is_confirmed:
            self.confirmed_by = ConfirmedBy.MEDIATOR
            self.payable_minor = amount_minor or self.terms.reward_minor
        self.state = State.APPROVED
        self._start_reward()

    # Time

    def fire(self) -> None:
        """What is due happens now, be it late."""
        due = self.next_time()
        assert due is not None
        assert due <= self.now
        if due == self._shipment_time():
            self.is_missed = True
            self._hold_for_product(due)
            self._add_transition(Event.SHIPMENT_MISSED, SYSTEM)
            return
        assert self.clock is not None
        if self.clock.reminders:
            self.clock.reminders.pop(0)
            self._add_transition(Event.REVIEW_REMINDED, SYSTEM)
            return
        self._run_out(self.clock.kind)

    def _run_out(self, kind: ClockKind) -> None:
        match kind:
            case ClockKind.REVIEW:
                if self.terms.policy.review_silence is ReviewSilence.ESCALATE:
                    self._start_review()  # afresh, should it be dismissed
                    self._dispute(Ground.REVIEW_SILENCE, SYSTEM)
                else:
                    self._approve(ConfirmedBy.SYSTEM, SYSTEM)
            case ClockKind.REWORK if self.versions:
                self._return_to_review(SYSTEM)
            case ClockKind.SUBMISSION | ClockKind.REWORK:
                self._expire(SYSTEM)
            case ClockKind.REWARD:
                self.clock, self.is_overdue = None, True
                self._add_transition(Event.REWARD_OVERDUE, SYSTEM)
            case ClockKind.COMPLETION:
                self._complete(SYSTEM)
            case ClockKind.REOPEN | ClockKind.DISPUTE_WINDOW:
                self.clock = None
                self._add_transition(Event.CLOSED, SYSTEM)

    # What is kept

    def _add_transition(
        self, event: Event, actor: str, was: State | None = None, *, first: bool = False
    ) -> None:
        from_state = None if first else (was or self.state)
        self.history.append(ExpectedTransition(event, from_state, self.state, actor, self.now))
        for number in self.pending():
            proposal = self.proposals[number - 1]
            if self.state not in WAITS[proposal.kind]:
                self.proposals[number - 1] = replace(proposal, state=ProposalState.LAPSED)
        self._follow_up()

    def _follow_up(self) -> None:
        """A product that is on its way is a reward sent; one that has arrived completes."""
        if self.product is None:
            return
        if self.state is State.APPROVED:
            self._sent()
        elif self.state is State.REWARDED and self.product[0]:
            self._complete(SYSTEM)
