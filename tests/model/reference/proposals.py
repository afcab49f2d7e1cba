"""Proposals of either side and the answers to them."""

from datetime import datetime

from servicekit.errors import Reason
from tests.model.reference import products, refusals, submissions, transitions
from tests.model.reference.refusals import ILLEGAL, LEGAL
from tests.model.reference.state import (
    BRAND,
    CREATOR,
    MAXIMUM_PER_SIDE,
    PROPOSABLE,
    AssignmentState,
    ReferenceProposal,
)
from workflows.assignment.commands import (
    AnswerProposal,
    CreateProposal,
)
from workflows.assignment.model import (
    Event,
    ProposalKind,
    ProposalState,
)


def refuse_proposal(a: AssignmentState, command: CreateProposal) -> set[Reason]:
    reasons = set(refusals.refuse_unless(a, *PROPOSABLE[command.kind]))
    sides = {ProposalKind.EXTENSION: CREATOR, ProposalKind.AMENDMENT: BRAND}
    if command.actor != sides.get(command.kind, command.actor):
        reasons.add(Reason.ROLE_NOT_ALLOWED)
    if any(a.proposals[number - 1].kind is command.kind for number in a.pending()):
        reasons.add(Reason.PROPOSAL_PENDING)
    if sum(one.proposer == command.actor for one in a.proposals) >= MAXIMUM_PER_SIDE:
        reasons.add(Reason.LIMIT_REACHED)
    return reasons | refuse_terms(a, command.kind, command.deadline_time)


def refuse_terms(a: AssignmentState, kind: ProposalKind, date: datetime | None) -> set[Reason]:
    deadline = a.clock.deadline(a.now) if a.clock else a.now
    if kind is ProposalKind.EXTENSION and (date is None or date <= deadline):
        return {Reason.DEADLINE_NOT_LATER}
    if kind is not ProposalKind.EARLY_SHIPMENT:
        return LEGAL
    reasons = set(refusals.refuse_past(a, date))
    if not a.is_for_product:
        reasons.add(Reason.REWARD_KIND_MISMATCH)
    if a.products:
        reasons.add(Reason.ILLEGAL_STATE)
    if date is None or date >= deadline:
        reasons.add(Reason.SHIPMENT_NOT_AGREED)
    return reasons


def propose(a: AssignmentState, command: CreateProposal) -> None:
    proposal = ReferenceProposal(
        command.kind, command.actor, command.deadline_time, command.requirement_texts
    )
    for text in proposal.texts:
        if text not in a.requirements:
            a.last_requirement += 1
        proposal.ids.append(a.requirements.get(text, f"req-{a.last_requirement}"))
    a.proposals.append(proposal)
    transitions.add(a, Event.PROPOSAL_MADE, command.actor)


def refuse_answer(a: AssignmentState, verb: str, command: AnswerProposal) -> set[Reason]:
    if not 1 <= command.number <= len(a.proposals):
        return {Reason.NOT_FOUND}
    proposal = a.proposals[command.number - 1]
    reasons = set(refusals.refuse_unless(a, *PROPOSABLE[proposal.kind]))
    if proposal.state is not ProposalState.PENDING:
        reasons |= ILLEGAL
    if (command.actor == proposal.proposer) is not (verb == "withdraw_proposal"):
        reasons.add(Reason.NOT_YOURS)
    if verb == "accept_proposal":
        reasons |= refuse_terms(a, proposal.kind, proposal.date)
    return reasons


def answer(a: AssignmentState, verb: str, command: AnswerProposal) -> None:
    proposal = a.proposals[command.number - 1]
    proposal.state = {
        "accept_proposal": ProposalState.ACCEPTED,
        "decline_proposal": ProposalState.DECLINED,
        "withdraw_proposal": ProposalState.WITHDRAWN,
    }[verb]
    if proposal.state is not ProposalState.ACCEPTED:
        transitions.add(a, Event[f"PROPOSAL_{proposal.state}"], command.actor)
    elif proposal.kind is ProposalKind.CANCELLATION:
        submissions.cancel(a, command.actor)
    else:
        apply_terms(a, proposal)
        transitions.add(a, Event.PROPOSAL_ACCEPTED, command.actor)


def apply_terms(a: AssignmentState, proposal: ReferenceProposal) -> None:
    if proposal.kind is ProposalKind.AMENDMENT:
        a.requirements = dict(zip(proposal.texts, proposal.ids, strict=True))
    elif proposal.kind is ProposalKind.EXTENSION and a.clock and proposal.date:
        a.clock.move(proposal.date, a.now)
        a.deadline = proposal.date
    elif proposal.kind is ProposalKind.EARLY_SHIPMENT:
        a.agreed_shipment = proposal.date
        products.end_wait_for_product(a)
