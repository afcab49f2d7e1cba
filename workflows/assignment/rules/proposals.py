"""Proposals, which bind only with the consent of both sides: more time (R40), other requirements
(R50), cancellation without a reward (R46), early shipment (R31). Silence changes nothing. Pure."""

from datetime import datetime

from servicekit.errors import (
    FailedPrecondition,
    PermissionDenied,
    Reason,
    illegal_state,
    not_found,
)
from workflows.assignment.commands import AnswerProposal, CreateProposal
from workflows.assignment.model import (
    Assignment,
    Event,
    Holder,
    Proposal,
    ProposalKind,
    ProposalState,
    Requirement,
    Transition,
)
from workflows.assignment.rules.transitions import PROPOSABLE, cancel, require, run_on, step

# A workflow takes at most 2,000 updates, and a message 1 MiB: far more than these limits allow.
_MAXIMUM_PROPOSALS = 10  # per side
_MAXIMUM_AMENDMENT_CHARACTERS = 10_000


def create_proposal(a: Assignment, command: CreateProposal, now: datetime) -> Transition:
    """
    Raises:
        FailedPrecondition: not legal in this state, another one of its kind is pending, or what is
            proposed is not possible.
        PermissionDenied: only the other side may propose this.
    """
    require(a, now, "CreateProposal", *PROPOSABLE[command.kind])
    _require_side(a, command)
    if pending := next((one for one in _pending(a) if one.kind is command.kind), None):
        raise FailedPrecondition(
            Reason.PROPOSAL_PENDING,
            f"A proposal of this kind waits for an answer already: {pending.kind}",
            metadata={"proposal": f"{a.name}/proposals/{pending.number}"},
        )
    _require_within_limits(a, command)
    proposal = Proposal(
        len(a.proposals) + 1,
        command.kind,
        command.actor,
        command.reason,
        now,
        command.deadline_time,
        _amended(a, command.requirement_texts),
    )
    _require_possible(a, proposal, now)
    a.proposals.append(proposal)
    return _answered(a, Event.PROPOSAL_MADE, proposal, command.actor, now)


def accept_proposal(a: Assignment, command: AnswerProposal, now: datetime) -> Transition:
    proposal = _other_sides(a, command, "AcceptProposal", now)
    _require_possible(a, proposal, now)
    _close(proposal, ProposalState.ACCEPTED, now)
    if proposal.kind is ProposalKind.CANCELLATION:
        return cancel(a, command.actor, now, f"By consent: {proposal.reason}")
    _bind(a, proposal, now)
    return _answered(a, Event.PROPOSAL_ACCEPTED, proposal, command.actor, now)


def decline_proposal(a: Assignment, command: AnswerProposal, now: datetime) -> Transition:
    proposal = _other_sides(a, command, "DeclineProposal", now)
    _close(proposal, ProposalState.DECLINED, now)
    return _answered(a, Event.PROPOSAL_DECLINED, proposal, command.actor, now)


def withdraw_proposal(a: Assignment, command: AnswerProposal, now: datetime) -> Transition:
    proposal = _waiting(a, command, "WithdrawProposal", now)
    if command.actor != proposal.proposer:
        raise PermissionDenied(Reason.NOT_YOURS, "Only who made a proposal can withdraw it")
    _close(proposal, ProposalState.WITHDRAWN, now)
    return _answered(a, Event.PROPOSAL_WITHDRAWN, proposal, command.actor, now)


def _pending(a: Assignment) -> list[Proposal]:
    return [one for one in a.proposals if one.state is ProposalState.PENDING]


def _require_side(a: Assignment, command: CreateProposal) -> None:
    sides = {ProposalKind.EXTENSION: a.creator, ProposalKind.AMENDMENT: a.brand}
    if command.actor != sides.get(command.kind, command.actor):
        side = sides[command.kind].partition("/")[0].removesuffix("s")
        raise PermissionDenied(
            Reason.ROLE_NOT_ALLOWED, f"{command.kind} is proposed by the {side} only"
        )


def _require_within_limits(a: Assignment, command: CreateProposal) -> None:
    if sum(one.proposer == command.actor for one in a.proposals) >= _MAXIMUM_PROPOSALS:
        raise FailedPrecondition(
            Reason.LIMIT_REACHED,
            f"{_MAXIMUM_PROPOSALS} proposals of yours were made already: open a dispute",
            metadata={"limit": str(_MAXIMUM_PROPOSALS)},
        )
    if sum(map(len, command.requirement_texts)) > _MAXIMUM_AMENDMENT_CHARACTERS:
        raise FailedPrecondition(
            Reason.LIMIT_REACHED,
            f"The texts of an amendment have at most {_MAXIMUM_AMENDMENT_CHARACTERS} characters",
            metadata={"limit": str(_MAXIMUM_AMENDMENT_CHARACTERS)},
        )


def _require_possible(a: Assignment, proposal: Proposal, now: datetime) -> None:
    """Checked when the proposal is made, and again when it is accepted."""
    date = proposal.deadline_time
    deadline_time = a.clock.due_from(now) if a.clock else now
    if proposal.kind is ProposalKind.EXTENSION:
        if date is None or date <= deadline_time:
            raise _not_later("The new deadline must be later than the present one")
    elif proposal.kind is ProposalKind.EARLY_SHIPMENT:
        if not a.is_for_product:
            raise FailedPrecondition(Reason.REWARD_KIND_MISMATCH, "The reward is not a product")
        if a.shipments:
            raise illegal_state(a.name, a.state, "CreateProposal", detail="and shipped already")
        if date is None or date <= now:
            raise _not_later("The date must be in the future")
        if date >= deadline_time:
            raise FailedPrecondition(
                Reason.SHIPMENT_NOT_AGREED, "The date must be before the creator's deadline"
            )


def _not_later(message: str) -> FailedPrecondition:
    return FailedPrecondition(Reason.DEADLINE_NOT_LATER, message)


def _amended(a: Assignment, texts: list[str]) -> list[Requirement]:
    """An unchanged text keeps its id; every other gets an id that was never used here."""
    kept = {requirement.text: requirement.id for requirement in reversed(a.requirements)}
    versions = [a.terms.requirements, *(one.requirements for one in a.proposals)]
    number = max(
        int(requirement.id.removeprefix("req-")) for version in versions for requirement in version
    )
    amended = []
    for text in texts:
        id_ = kept.pop(text, None)
        if id_ is None:
            number += 1
            id_ = f"req-{number}"
        amended.append(Requirement(id_, text))
    return amended


def _bind(a: Assignment, proposal: Proposal, now: datetime) -> None:
    date = proposal.deadline_time
    if proposal.kind is ProposalKind.AMENDMENT:
        a.requirements = proposal.requirements
    elif proposal.kind is ProposalKind.EXTENSION and date is not None and a.clock is not None:
        a.clock.move(date, now)
        a.submission_deadline_time = date
    elif proposal.kind is ProposalKind.EARLY_SHIPMENT:
        a.shipment_due_time, a.shipment_is_missed = date, False
        run_on(a, Holder.MISSED_SHIPMENT, now)


def _waiting(a: Assignment, command: AnswerProposal, verb: str, now: datetime) -> Proposal:
    name = f"{a.name}/proposals/{command.number}"
    proposal = next((one for one in a.proposals if one.number == command.number), None)
    if proposal is None:
        raise not_found(name)
    if proposal.state is not ProposalState.PENDING:
        raise illegal_state(name, proposal.state, verb)
    require(a, now, verb, *PROPOSABLE[proposal.kind])
    return proposal


def _other_sides(a: Assignment, command: AnswerProposal, verb: str, now: datetime) -> Proposal:
    proposal = _waiting(a, command, verb, now)
    if command.actor == proposal.proposer:
        raise PermissionDenied(Reason.NOT_YOURS, "A proposal is answered by the other side")
    return proposal


def _close(proposal: Proposal, state: ProposalState, now: datetime) -> None:
    proposal.state, proposal.answer_time = state, now


def _answered(
    a: Assignment, event: Event, proposal: Proposal, actor: str, now: datetime
) -> Transition:
    comment = f"{proposal.kind} (proposal {proposal.number}): {proposal.reason}"
    return step(a, event, a.state, actor, now, comment)
