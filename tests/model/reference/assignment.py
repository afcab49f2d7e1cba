"""Reference model of an assignment: what is legal, what it does, and what time does.

A second implementation of the rules, written from the specification: it shares nothing with the
workflow but the names of commands, states and events. It gives every reason for which a command may
be refused (any of several will do), and keeps the history that it expects.
"""

from collections.abc import Callable
from datetime import datetime

from servicekit.errors import Reason
from tests.model.reference import (
    disputes,
    overrides,
    payout_reports,
    products,
    proposals,
    submissions,
    timers,
    transitions,
)
from tests.model.reference.refusals import refuse_unless
from tests.model.reference.state import (
    BRAND,
    AssignmentState,
)
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
    ConfirmedBy,
    Event,
    State,
    Terms,
)
from workflows.dispute.model import Decision

_REFUSALS: dict[type, Callable[..., set[Reason]]] = {
    SubmitWork: submissions.refuse_submission,
    RequestChanges: submissions.refuse_changes,
    ApproveWork: lambda a, _: refuse_unless(a, State.IN_REVIEW),
    CommentOnExpiry: submissions.refuse_comment,
    ReopenAssignment: submissions.refuse_reopening,
    CreateProposal: proposals.refuse_proposal,
    RecordShipment: products.refuse_shipment,
    AcknowledgeReceipt: products.refuse_receipt,
    OverrideAssignment: overrides.refuse_override,
    OpenDispute: disputes.refuse_dispute,
}
_EFFECTS: dict[type, Callable[..., None]] = {
    SubmitWork: submissions.submit,
    RequestChanges: submissions.request_changes,
    ApproveWork: lambda a, one: submissions.approve(a, ConfirmedBy.BRAND, one.actor),
    CommentOnExpiry: submissions.comment,
    ReopenAssignment: lambda a, one: submissions.reopen(a, one.deadline_time, one.actor),
    CreateProposal: proposals.propose,
    RecordShipment: products.ship,
    AcknowledgeReceipt: products.receive,
    OverrideAssignment: overrides.override,
    OpenDispute: lambda a, one: disputes.open_dispute(a, one.ground, one.opener),
}


class ReferenceAssignment(AssignmentState):
    def __init__(self, terms: Terms, now: datetime) -> None:
        super().__init__(terms, now)
        transitions.add(self, Event.CREATOR_SELECTED, BRAND, first=True)

    def refusals(self, command: object) -> set[Reason]:
        """Why the command may be refused now; when empty it must succeed."""
        return _REFUSALS[type(command)](self, command)

    def apply(self, command: object) -> None:
        """The effect of a legal command."""
        _EFFECTS[type(command)](self, command)

    def refuse_answer(self, verb: str, command: AnswerProposal) -> set[Reason]:
        return proposals.refuse_answer(self, verb, command)

    def answer(self, verb: str, command: AnswerProposal) -> None:
        proposals.answer(self, verb, command)

    def refuse_claim(self) -> set[Reason]:
        return disputes.refuse_claim(self)

    def refuse_withdrawal(self, actor: str) -> set[Reason]:
        return disputes.refuse_withdrawal(self, actor)

    def refuse_decision(self, mediator: str, decision: Decision) -> set[Reason]:
        return disputes.refuse_decision(self, mediator, decision)

    def withdraw(self) -> None:
        disputes.withdraw(self)

    def decide(self, decision: Decision, *, is_sent: bool) -> None:
        disputes.decide(self, decision, is_sent=is_sent)

    def report_payout(self, report: str) -> None:
        payout_reports.report(self, report)

    def fire(self) -> None:
        timers.fire(self)
