"""Commands to an assignment, as services send them; the workflow adds the time. Pure data."""

from dataclasses import dataclass, field
from datetime import datetime

from workflows.assignment.model import Action, ProposalKind
from workflows.dispute.model import Ground


@dataclass(frozen=True)
class SubmitWork:
    actor: str
    note: str
    media_object_ids: list[str]
    links: list[str]
    article_ids: list[str] = field(default_factory=list)
    content_types: list[str] = field(default_factory=list)
    # In the order of `article_ids`; none where they could not be sealed.
    article_revisions: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class RequestChanges:
    actor: str
    comment: str
    requirement_ids: list[str]


@dataclass(frozen=True)
class ApproveWork:
    actor: str


@dataclass(frozen=True)
class CommentOnExpiry:
    actor: str
    reason: str
    comment: str


@dataclass(frozen=True)
class ReopenAssignment:
    actor: str
    deadline_time: datetime
    comment: str


@dataclass(frozen=True)
class CreateProposal:
    actor: str
    kind: ProposalKind
    reason: str
    deadline_time: datetime | None = None
    requirement_texts: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class AnswerProposal:
    """What a side does with the proposal of this number."""

    actor: str
    number: int


@dataclass(frozen=True)
class AcceptProposal(AnswerProposal):
    pass


@dataclass(frozen=True)
class DeclineProposal(AnswerProposal):
    pass


@dataclass(frozen=True)
class WithdrawProposal(AnswerProposal):
    pass


@dataclass(frozen=True)
class RecordShipment:
    actor: str
    carrier: str
    tracking_number: str


@dataclass(frozen=True)
class AcknowledgeReceipt:
    actor: str


@dataclass(frozen=True)
class OverrideAssignment:
    """`deadline_time` belongs to MOVE_CLOCK and REOPEN."""

    actor: str
    action: Action
    reason: str
    deadline_time: datetime | None = None


@dataclass(frozen=True)
class OpenDispute:
    dispute_id: str
    ground: Ground
    statement: str
    opener: str
