"""Use cases of assignments: read them, and send commands to their workflows."""

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
from services.tasks.assignments.domain import AssignmentFilter, AssignmentRecord
from workflows.assignment import commands
from workflows.assignment.rules.transitions import WORKING
from workflows.errors import NotRunning


class Assignments(Protocol):
    async def assignment(self, assignment_id: str) -> AssignmentRecord | None: ...

    async def list_assignments(
        self, wanted: AssignmentFilter, page: Page
    ) -> list[AssignmentRecord]: ...


class MediaLibrary(Protocol):
    """The media service."""

    async def accepted_ids(self, owner_id: str, ids: list[str]) -> set[str]:
        """Those of `ids` that are accepted media objects of the creator."""

    async def seal(self, owner_id: str, assignment_id: str, article_ids: list[str]) -> list[str]:
        """Seals the articles as they are now, for the assignment. Returns
        `articles/{article}/revisions/{revision}` of each, in the order of `article_ids`.

        Raises:
            FailedPrecondition: ARTICLE_INVALID, with all violations of all articles.
            PermissionDenied: one of them is not the creator's.
        """


class WorkflowCommand(Protocol):
    """A command of `workflows.assignment.commands`, the argument of a workflow update. Its class is
    named after the RPC."""

    @property
    def actor(self) -> str: ...


class AssignmentWorkflows(Protocol):
    """Implemented by `workflows.AssignmentWorkflowClient`."""

    async def send(self, assignment_id: str, command: WorkflowCommand, request_id: str) -> None:
        """Returns once the workflow has decided and recorded the outcome in the read model, which
        it does through RecordService (`services.tasks.recording`).

        Raises:
            NotRunning: the workflow has ended.
        """


class AssignmentHandlers:
    def __init__(
        self, assignments: Assignments, media: MediaLibrary, workflows: AssignmentWorkflows
    ) -> None:
        self._assignments = assignments
        self._media = media
        self._workflows = workflows

    async def get_assignment(self, who: Principal, command: GetAssignment) -> AssignmentRecord:
        return await self._own(who, command.id)

    async def list_assignments(
        self, who: Principal, command: ListAssignments, page: Page
    ) -> list[AssignmentRecord]:
        """Brands and creators list their own, and may not filter by another brand or creator."""
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
        return await self._assignments.list_assignments(wanted, page)

    async def submit_work(self, who: Principal, command: SubmitWork) -> AssignmentRecord:
        """Checks the media objects and seals the articles, then sends the update `submit_work` to
        the assignment's workflow, which decides whether the task asks for this work."""
        record = await self._own(who, command.id)
        work = command.submission
        await self._check_accepted(record.creator_id, work.media_object_ids)
        if not work.article_ids or record.state not in WORKING:
            # The workflow will refuse it, so nothing is sealed. If this is a repeated request, it
            # gets its first answer.
            return await self._submit(who, command, [])
        try:
            revisions = await self._media.seal(record.creator_id, record.id, work.article_ids)
        except (FailedPrecondition, PermissionDenied, ResourceExhausted) as refusal:
            return await self._submit_unsealed(who, command, refusal)
        return await self._submit(who, command, revisions)

    async def _submit_unsealed(
        self, who: Principal, command: SubmitWork, refusal: LiaisonError
    ) -> AssignmentRecord:
        """Sends the submission although its articles were refused. If this is a repeated request,
        the articles may have been valid at first and edited since, and the first answer holds. If
        it is new, the workflow refuses it: for its state first, then for the missing revisions."""
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
        submission = commands.SubmitWork(
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
        return await self._command(
            who,
            command.id,
            commands.RequestChanges(who.actor, command.comment, command.requirement_ids),
            command.request_id,
        )

    async def approve_work(self, who: Principal, command: ApproveWork) -> AssignmentRecord:
        return await self._command(
            who, command.id, commands.ApproveWork(who.actor), command.request_id
        )

    async def comment_on_expiry(self, who: Principal, command: CommentOnExpiry) -> AssignmentRecord:
        expiry = command.expiry_comment
        return await self._command(
            who,
            command.id,
            commands.CommentOnExpiry(who.actor, expiry.reason, expiry.comment),
            command.request_id,
        )

    async def reopen_assignment(
        self, who: Principal, command: ReopenAssignment
    ) -> AssignmentRecord:
        return await self._command(
            who,
            command.id,
            commands.ReopenAssignment(who.actor, command.deadline_time, command.comment),
            command.request_id,
        )

    async def create_proposal(self, who: Principal, command: CreateProposal) -> AssignmentRecord:
        """The workflow decides which side may propose what."""
        proposal = command.proposal
        return await self._command(
            who,
            command.assignment_id,
            commands.CreateProposal(
                who.actor,
                proposal.kind,
                proposal.reason,
                proposal.deadline_time,
                proposal.requirement_texts,
            ),
            command.request_id,
        )

    async def accept_proposal(self, who: Principal, command: AnswerProposal) -> AssignmentRecord:
        return await self._answer(who, commands.AcceptProposal(who.actor, command.number), command)

    async def decline_proposal(self, who: Principal, command: AnswerProposal) -> AssignmentRecord:
        return await self._answer(who, commands.DeclineProposal(who.actor, command.number), command)

    async def withdraw_proposal(self, who: Principal, command: AnswerProposal) -> AssignmentRecord:
        return await self._answer(
            who, commands.WithdrawProposal(who.actor, command.number), command
        )

    async def record_shipment(self, who: Principal, command: RecordShipment) -> AssignmentRecord:
        shipment = command.shipment
        return await self._command(
            who,
            command.id,
            commands.RecordShipment(who.actor, shipment.carrier, shipment.tracking_number),
            command.request_id,
        )

    async def acknowledge_receipt(
        self, who: Principal, command: AcknowledgeReceipt
    ) -> AssignmentRecord:
        return await self._command(
            who,
            command.id,
            commands.AcknowledgeReceipt(who.actor),
            command.request_id,
        )

    async def override_assignment(
        self, who: Principal, command: OverrideAssignment
    ) -> AssignmentRecord:
        return await self._command(
            who,
            command.id,
            commands.OverrideAssignment(
                who.actor, command.action, command.reason, command.deadline_time
            ),
            command.request_id,
        )

    async def _answer(
        self, who: Principal, answer: commands.AnswerProposal, command: AnswerProposal
    ) -> AssignmentRecord:
        return await self._command(who, command.assignment_id, answer, command.request_id)

    async def _command(
        self, who: Principal, assignment_id: str, command: WorkflowCommand, request_id: str
    ) -> AssignmentRecord:
        """Sends a command to the workflow of the caller's assignment. Returns the outcome."""
        await self._own(who, assignment_id)
        return await self._send(who, assignment_id, command, request_id)

    async def _send(
        self, who: Principal, assignment_id: str, command: WorkflowCommand, request_id: str
    ) -> AssignmentRecord:
        try:
            await self._workflows.send(assignment_id, command, request_id)
        except NotRunning:
            ended = await self._own(who, assignment_id)
            raise illegal_state(
                f"assignments/{assignment_id}", ended.state, type(command).__name__
            ) from None
        return await self._own(who, assignment_id)

    async def _check_accepted(self, owner_id: str, ids: list[str]) -> None:
        accepted = await self._media.accepted_ids(owner_id, ids) if ids else set()
        if missing := [f"mediaObjects/{id_}" for id_ in ids if id_ not in accepted]:
            raise FailedPrecondition(
                Reason.MEDIA_NOT_ACCEPTED,
                "Only media objects of your own that were accepted can be submitted",
                metadata={"media_objects": ",".join(missing)},
            )

    async def _own(self, who: Principal, assignment_id: str) -> AssignmentRecord:
        name = f"assignments/{assignment_id}"
        record = who.require_found(name, await self._assignments.assignment(assignment_id))
        who.require_party(name, brand=record.brand_id, creator=record.creator_id)
        return record
