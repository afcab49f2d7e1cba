"""Disputes as protobuf messages, for the activity that records them and the service."""

from enum import StrEnum
from typing import TypeVar

from liaison.disputes.v1 import disputes_pb2 as pb

from servicekit.errors import Violation, invalid_fields
from servicekit.money import Money
from servicekit.resource_names import parse_id
from servicekit.timestamps import from_timestamp, to_timestamp
from workflows.dispute.model import Decision, Dispute, Ground, Outcome, State

E = TypeVar("E", bound=StrEnum)


def to_message(dispute: Dispute) -> pb.Dispute:
    has_money = dispute.reward_minor > 0
    return pb.Dispute(
        name=dispute.name,
        state=pb.Dispute.State.Value(f"STATE_{dispute.state}"),
        assignment=f"assignments/{dispute.assignment_id}",
        brand=f"brands/{dispute.brand_id}",
        creator=f"creators/{dispute.creator_id}",
        opener=dispute.opener,
        ground=pb.Ground.Value(f"GROUND_{dispute.ground}"),
        statement=dispute.statement,
        mediator=dispute.mediator,
        decision=_decision_message(dispute.decision) if dispute.decision else None,
        resolution_due_time=to_timestamp(dispute.resolution_due_time),
        answer_due_time=to_timestamp(dispute.answer_due_time),
        is_overdue=dispute.is_overdue,
        reward=(
            Money(dispute.reward_currency, dispute.reward_minor).to_message() if has_money else None
        ),
        allowed_outcomes=[
            pb.Decision.Outcome.Value(f"OUTCOME_{outcome}") for outcome in dispute.allowed_outcomes
        ],
        sequence=dispute.sequence,
        create_time=to_timestamp(dispute.create_time),
        update_time=to_timestamp(dispute.update_time or dispute.create_time),
    )


def _decision_message(decision: Decision) -> pb.Decision:
    return pb.Decision(
        outcome=pb.Decision.Outcome.Value(f"OUTCOME_{decision.outcome}"),
        reasoning=decision.reasoning,
        amount=(
            Money(decision.amount_currency or "", decision.amount_minor).to_message()
            if decision.amount_minor is not None
            else None
        ),
        deadline_time=to_timestamp(decision.deadline_time),
        decide_time=to_timestamp(decision.decide_time),
    )


def from_message(message: pb.Dispute) -> Dispute:
    """A dispute that a worker recorded.

    Raises:
        InvalidArgument: it is not one.
    """
    reward = Money.from_message(message.reward)
    return Dispute(
        id=parse_id("disputes/{dispute}", message.name, field="dispute.name"),
        assignment_id=parse_id(
            "assignments/{assignment}", message.assignment, field="dispute.assignment"
        ),
        brand_id=parse_id("brands/{brand}", message.brand, field="dispute.brand"),
        creator_id=parse_id("creators/{creator}", message.creator, field="dispute.creator"),
        opener=message.opener,
        ground=_enum(Ground, pb.Ground.Name(message.ground), "dispute.ground"),
        statement=message.statement,
        create_time=from_timestamp(message.create_time),
        resolution_due_time=from_timestamp(message.resolution_due_time),
        answer_due_time=from_timestamp(message.answer_due_time),
        allowed_outcomes=[
            _enum(Outcome, pb.Decision.Outcome.Name(outcome), "dispute.allowed_outcomes")
            for outcome in message.allowed_outcomes
        ],
        reward_currency=reward.currency,
        reward_minor=reward.amount_minor,
        state=_enum(State, pb.Dispute.State.Name(message.state), "dispute.state"),
        mediator=message.mediator,
        decision=_decision(message.decision) if message.HasField("decision") else None,
        is_overdue=message.is_overdue,
        sequence=message.sequence,
        update_time=from_timestamp(message.update_time),
    )


def _decision(message: pb.Decision) -> Decision:
    amount = Money.from_message(message.amount) if message.HasField("amount") else None
    has_deadline, was_decided = message.HasField("deadline_time"), message.HasField("decide_time")
    return Decision(
        outcome=_enum(
            Outcome, pb.Decision.Outcome.Name(message.outcome), "dispute.decision.outcome"
        ),
        reasoning=message.reasoning,
        decide_time=from_timestamp(message.decide_time) if was_decided else None,
        amount_minor=amount.amount_minor if amount else None,
        deadline_time=from_timestamp(message.deadline_time) if has_deadline else None,
        amount_currency=amount.currency if amount else None,
    )


def _enum(kind: type[E], name: str, field: str) -> E:
    """A proto value's name carries its enum's as a prefix: STATE_OPEN, OUTCOME_REDO."""
    try:
        return kind(name.removeprefix(f"{kind.__name__.upper()}_"))
    except ValueError:
        raise invalid_fields(Violation(field, "ENUM", f"{name} is no {kind.__name__}")) from None
