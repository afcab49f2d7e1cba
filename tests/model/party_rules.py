"""Random commands of the creator and the brand: work, reviews, proposals, products."""

from datetime import timedelta

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from tests.model.comparing_machine import ANCHORS, DAY, HOUR, SIDES, SPANS, ComparingMachine
from tests.model.reference.state import BRAND, CREATOR, OPERATOR
from workflows.assignment.commands import (
    AcknowledgeReceipt,
    AnswerProposal,
    ApproveWork,
    CommentOnExpiry,
    CreateProposal,
    RecordShipment,
    ReopenAssignment,
    RequestChanges,
    SubmitWork,
)
from workflows.assignment.model import ProposalKind, State


class PartyRules(ComparingMachine):
    @rule(
        types=st.sampled_from([[], ["VIDEO"], ["VIDEO", "ARTICLE"], ["VIDEO", "LIST"]]),
        articles=st.sampled_from([[], ["x"], ["x", "y"]]),
        sealed=st.sampled_from([[], ["articles/x/revisions/r"]]),
    )
    def submit(self, types: list[str], articles: list[str], sealed: list[str]) -> None:
        command = SubmitWork(CREATOR, "Done", ["m1"], [], articles, types, sealed)
        self.run_on_both("submit_work", command)

    @precondition(lambda self: self.model.state in (State.IN_PROGRESS, State.CHANGES_REQUESTED))
    @rule()
    def submit_all(self) -> None:
        sealed = ["articles/x/revisions/r"]
        self.run_on_both("submit_work", SubmitWork(CREATOR, "Done", ["m1"], [], ["x"], [], sealed))

    @rule(number=st.integers(1, 4))
    def ask_for_changes(self, number: int) -> None:
        self.run_on_both("request_changes", RequestChanges(BRAND, "More", [f"req-{number}"]))

    @precondition(lambda self: self.model.state is State.IN_REVIEW)
    @rule()
    def ask_for_known_changes(self) -> None:
        known = next(iter(self.model.requirements.values()))
        self.run_on_both("request_changes", RequestChanges(BRAND, "More", [known]))

    @rule()
    def approve(self) -> None:
        self.run_on_both("approve_work", ApproveWork(BRAND))

    @rule(reason=st.sampled_from(["MATERIALS_NOT_PROVIDED", "EMERGENCY"]))
    def comment(self, reason: str) -> None:
        self.run_on_both("comment_on_expiry", CommentOnExpiry(CREATOR, reason, "So it was"))

    @rule(span=SPANS)
    def reopen(self, span: timedelta) -> None:
        date = self.subject.now() + span
        self.run_on_both("reopen_assignment", ReopenAssignment(BRAND, date, "Once more"))

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
        self.run_on_both("create_proposal", CreateProposal(actor, kind, "Please", date, asked))

    @precondition(lambda self: self.model.state in (State.IN_PROGRESS, State.CHANGES_REQUESTED))
    @precondition(lambda self: self.model.is_for_product and not self.model.products)
    @rule(actor=SIDES, span=st.sampled_from([HOUR, DAY, 3 * DAY]))
    def agree_on_shipment(self, actor: str, span: timedelta) -> None:
        date = self.subject.now() + span
        command = CreateProposal(actor, ProposalKind.EARLY_SHIPMENT, "Please", date)
        if self.run_on_both("create_proposal", command):
            other = CREATOR if actor == BRAND else BRAND
            number = len(self.model.proposals)
            self.run_on_both("accept_proposal", AnswerProposal(other, number))

    @precondition(lambda self: self.model.proposals)
    @rule(
        verb=st.sampled_from(["accept_proposal", "decline_proposal", "withdraw_proposal"]),
        actor=SIDES,
        back=st.integers(-1, 3),
    )
    def answer(self, verb: str, actor: str, back: int) -> None:
        self.run_on_both(verb, AnswerProposal(actor, max(0, len(self.model.proposals) - back)))

    @precondition(lambda self: self.model.pending())
    @rule(verb=st.sampled_from(["accept_proposal", "accept_proposal", "decline_proposal"]))
    def give_valid_answer(self, verb: str) -> None:
        number = self.model.pending()[-1]
        proposer = self.model.proposals[number - 1].proposer
        self.run_on_both(verb, AnswerProposal(CREATOR if proposer == BRAND else BRAND, number))

    @rule(actor=st.sampled_from([BRAND, OPERATOR]))
    def ship(self, actor: str) -> None:
        self.run_on_both("record_shipment", RecordShipment(actor, "DHL", "123"))

    @rule()
    def receive(self) -> None:
        self.run_on_both("acknowledge_receipt", AcknowledgeReceipt(CREATOR))
