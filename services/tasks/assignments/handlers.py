"""What can be done with assignments: read them, and send their workflows commands."""

from typing import Protocol

from servicekit.auth import Principal
from servicekit.errors import (
    FailedPrecondition,
    LiaisonError,
    PermissionDenied,
    Reason,
    ResourceExhausted,
    illegal_state,
)
from servicekit.pagination import Page
from services.tasks.assignments.commands import (
    AcknowledgeReceipt,
    AnswerProposal,
    ApproveWork,
    CommentOnExpiry,
    CreateProposal,
    GetAssignment,
    ListAssignments,
    OverrideAssignment,
    RecordShipment,
    ReopenAssignment,
    RequestChanges,
    SubmitWork,
)
from services.tasks.assignments.listing import AssignmentFilter
from services.tasks.domain import AssignmentRecord, NotUnderWay
from workflows.assignment import model
from workflows.assignment.rules.transitions import WORKING


class AssignmentStore(Protocol):
    async def assignment(self, assignment_id: str) -> AssignmentRecord | None: ...

    async def list_assignments(
        self, wanted: AssignmentFilter, page: Page
    ) -> list[AssignmentRecord]: ...


class MediaLibrary(Protocol):
    """The media service."""

    async def accepted_ids(self, owner_id: str, ids: list[str]) -> set[str]:
        """Those of `ids` that belong to the creator and were accepted."""

    async def seal(self, owner_id: str, assignment_id: str, article_ids: list[str]) -> list[str]:
        """The articles as they are now, to be delivered for the assignment:
        `articles/{article}/revisions/{revision}` of each, in order.

        Raises:
            FailedPrecondition: ARTICLE_INVALID, with everything that is wrong with any of them.
            PermissionDenied: one of them is not the creator's.
        """


class Order(Protocol):
    """A command as the workflow takes it; its class is named after the RPC."""

    @property
    def actor(self) -> str: ...


class AssignmentWorkflows(Protocol):
    """The assignments' workflows."""

    async def send(self, assignment_id: str, command: Order, request_id: str) -> None:
        """
        Raises:
            NotUnderWay: the workflow has ended.
        """


class AssignmentHandlers:
    def __init__(
        self, store: AssignmentStore, media: MediaLibrary, runs: AssignmentWorkflows
    ) -> None:
        self._store = store
        self._media = media
        self._runs = runs

    async def get_assignment(self, who: Principal, command: GetAssignment) -> AssignmentRecord:
        return await self._own(who, command.id)

    async def list_assignments(
        self, who: Principal, command: ListAssignments, page: Page
    ) -> list[AssignmentRecord]:
        """Brands and creators see their own, and can ask for nobody else's."""
        if command.brand_id is not None:
            who.require_party(f"brands/{command.brand_id}", brand=command.brand_id)
        if command.creator_id is not None:
            who.require_party(f"creators/{command.creator_id}", creator=command.creator_id)
        wanted = AssignmentFilter(
            brand_id=who.brand or command.brand_id,
            creator_id=who.creator or command.creator_id,
            task_id=command.task_id,
            states=command.wanted_states,
            is_overdue=command.is_overdue,
        )
        return await self._store.list_assignments(wanted, page)

    async def submit_work(self, who: Principal, command: SubmitWork) -> AssignmentRecord:
        """What the task asks to be delivered is the workflow's to say."""
        record = await self._own(who, command.id)
        work = command.submission
        await self._check_accepted(record.creator_id, work.media_object_ids)
        if not work.article_ids or record.state not in WORKING:
            # Nothing is sealed of what is refused. A request that was heard before gets its first
            # answer all the same.
            return await self._submit(who, command, [])
        try:
            revisions = await self._media.seal(record.creator_id, record.id, work.article_ids)
        except (FailedPrecondition, PermissionDenied, ResourceExhausted) as refusal:
            return await self._submit_unsealed(who, command, refusal)
        return await self._submit(who, command, revisions)

    async def _submit_unsealed(
        self, who: Principal, command: SubmitWork, refusal: LiaisonError
    ) -> AssignmentRecord:
        """The articles may have been good when this very request came first, and edited since: its
        answer is still the first one. A workflow to which it is new refuses it, for its own state
        before anything else."""
        try:
            return await self._submit(who, command, [])
        except FailedPrecondition as answer:
            if answer.reason is Reason.MEDIA_NOT_ACCEPTED:
                raise refusal from None
            raise

    async def _submit(
        self, who: Principal, command: SubmitWork, revisions: list[str]
    ) -> AssignmentRecord:
        work = command.submission
        submission = model.SubmitWork(
            who.actor,
            work.note,
            work.media_object_ids,
            work.links,
            work.article_ids,
            [str(one) for one in work.content_types],
            revisions,
        )
        return await self._send(who, command.id, submission, command.request_id)

    async def request_changes(self, who: Principal, command: RequestChanges) -> AssignmentRecord:
        return await self._order(
            who,
            command.id,
            model.RequestChanges(who.actor, command.comment, command.requirement_ids),
            command.request_id,
        )

    async def approve_work(self, who: Principal, command: ApproveWork) -> AssignmentRecord:
        return await self._order(who, command.id, model.ApproveWork(who.actor), command.request_id)

    async def comment_on_expiry(self, who: Principal, command: CommentOnExpiry) -> AssignmentRecord:
        said = command.expiry_comment
        return await self._order(
            who,
            command.id,
            model.CommentOnExpiry(who.actor, said.reason, said.comment),
            command.request_id,
        )

    async def reopen_assignment(
        self, who: Principal, command: ReopenAssignment
    ) -> AssignmentRecord:
        return await self._order(
            who,
            command.id,
            model.ReopenAssignment(who.actor, command.deadline_time, command.comment),
            command.request_id,
        )

    async def create_proposal(self, who: Principal, command: CreateProposal) -> AssignmentRecord:
        """Which side may propose what is the workflow's to say."""
        made = command.proposal
        return await self._order(
            who,
            command.assignment_id,
            model.CreateProposal(
                who.actor, made.kind, made.reason, made.deadline_time, made.requirement_texts
            ),
            command.request_id,
        )

    async def accept_proposal(self, who: Principal, command: AnswerProposal) -> AssignmentRecord:
        return await self._answer(who, model.AcceptProposal(who.actor, command.number), command)

    async def decline_proposal(self, who: Principal, command: AnswerProposal) -> AssignmentRecord:
        return await self._answer(who, model.DeclineProposal(who.actor, command.number), command)

    async def withdraw_proposal(self, who: Principal, command: AnswerProposal) -> AssignmentRecord:
        return await self._answer(who, model.WithdrawProposal(who.actor, command.number), command)

    async def record_shipment(self, who: Principal, command: RecordShipment) -> AssignmentRecord:
        sent = command.shipment
        return await self._order(
            who,
            command.id,
            model.RecordShipment(who.actor, sent.carrier, sent.tracking_number),
            command.request_id,
        )

    async def acknowledge_receipt(
        self, who: Principal, command: AcknowledgeReceipt
    ) -> AssignmentRecord:
        return await self._order(
            who,
            command.id,
            model.AcknowledgeReceipt(who.actor),
            command.request_id,
        )

    async def override_assignment(
        self, who: Principal, command: OverrideAssignment
    ) -> AssignmentRecord:
        return await self._order(
            who,
            command.id,
            model.OverrideAssignment(
                who.actor, command.action, command.reason, command.deadline_time
            ),
            command.request_id,
        )

    async def _answer(
        self, who: Principal, answer: model.AnswerProposal, command: AnswerProposal
    ) -> AssignmentRecord:
        return await self._order(who, command.assignment_id, answer, command.request_id)

    async def _order(
        self, who: Principal, assignment_id: str, command: Order, request_id: str
    ) -> AssignmentRecord:
        """Sends a command to the caller's assignment; answers with what came of it."""
        await self._own(who, assignment_id)
        return await self._send(who, assignment_id, command, request_id)

    async def _send(
        self, who: Principal, assignment_id: str, command: Order, request_id: str
    ) -> AssignmentRecord:
        try:
            await self._runs.send(assignment_id, command, request_id)
        except NotUnderWay:
            ended = await self._own(who, assignment_id)
            raise illegal_state(
                f"assignments/{assignment_id}", ended.state, type(command).__name__
            ) from None
        return await self._own(who, assignment_id)

    async def _check_accepted(self, owner_id: str, asked: list[str]) -> None:
        accepted = await self._media.accepted_ids(owner_id, asked) if asked else set()
        if missing := [f"mediaObjects/{id_}" for id_ in asked if id_ not in accepted]:
            raise FailedPrecondition(
                Reason.MEDIA_NOT_ACCEPTED,
                "Only media objects of your own that were accepted can be submitted",
                metadata={"media_objects": ",".join(missing)},
            )

    async def _own(self, who: Principal, assignment_id: str) -> AssignmentRecord:
        name = f"assignments/{assignment_id}"
        record = who.require_found(name, await self._store.assignment(assignment_id))
        who.require_party(name, brand=record.brand_id, creator=record.creator_id)
        return record
