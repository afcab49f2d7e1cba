"""The commands of an assignment, as updates of its workflow.

Each asks a rule twice: in the validator, so that a refusal leaves nothing in history, and in the
handler, which applies it.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from workflows.assignment.commands import (
        AcceptProposal,
        AcknowledgeReceipt,
        ApproveWork,
        CommentOnExpiry,
        CreateProposal,
        DeclineProposal,
        RecordShipment,
        ReopenAssignment,
        RequestChanges,
        SubmitWork,
        WithdrawProposal,
    )
    from workflows.assignment.model import Transition
    from workflows.assignment.rules import proposals, rewards, submissions


class AssignmentUpdates(ABC):
    @abstractmethod
    def _check(self, rule: Callable[..., Any], command: object) -> None:
        """Refuses the command if the rule does; changes nothing."""

    @abstractmethod
    async def _apply(self, rule: Callable[..., Transition], command: object) -> None:
        """Applies the rule; returns once the transition is in the read model."""

    @workflow.update
    async def submit_work(self, command: SubmitWork) -> None:
        await self._apply(submissions.submit_work, command)

    @submit_work.validator
    def _check_submit_work(self, command: SubmitWork) -> None:
        self._check(submissions.submit_new_work, command)

    @workflow.update
    async def request_changes(self, command: RequestChanges) -> None:
        await self._apply(submissions.request_changes, command)

    @request_changes.validator
    def _check_request_changes(self, command: RequestChanges) -> None:
        self._check(submissions.request_changes, command)

    @workflow.update
    async def approve_work(self, command: ApproveWork) -> None:
        await self._apply(submissions.approve_work, command)

    @approve_work.validator
    def _check_approve_work(self, command: ApproveWork) -> None:
        self._check(submissions.approve_work, command)

    @workflow.update
    async def comment_on_expiry(self, command: CommentOnExpiry) -> None:
        await self._apply(submissions.comment_on_expiry, command)

    @comment_on_expiry.validator
    def _check_comment_on_expiry(self, command: CommentOnExpiry) -> None:
        self._check(submissions.comment_on_expiry, command)

    @workflow.update
    async def reopen_assignment(self, command: ReopenAssignment) -> None:
        await self._apply(submissions.reopen_assignment, command)

    @reopen_assignment.validator
    def _check_reopen_assignment(self, command: ReopenAssignment) -> None:
        self._check(submissions.reopen_assignment, command)

    @workflow.update
    async def create_proposal(self, command: CreateProposal) -> None:
        await self._apply(proposals.create_proposal, command)

    @create_proposal.validator
    def _check_create_proposal(self, command: CreateProposal) -> None:
        self._check(proposals.create_proposal, command)

    @workflow.update
    async def accept_proposal(self, command: AcceptProposal) -> None:
        await self._apply(proposals.accept_proposal, command)

    @accept_proposal.validator
    def _check_accept_proposal(self, command: AcceptProposal) -> None:
        self._check(proposals.accept_proposal, command)

    @workflow.update
    async def decline_proposal(self, command: DeclineProposal) -> None:
        await self._apply(proposals.decline_proposal, command)

    @decline_proposal.validator
    def _check_decline_proposal(self, command: DeclineProposal) -> None:
        self._check(proposals.decline_proposal, command)

    @workflow.update
    async def withdraw_proposal(self, command: WithdrawProposal) -> None:
        await self._apply(proposals.withdraw_proposal, command)

    @withdraw_proposal.validator
    def _check_withdraw_proposal(self, command: WithdrawProposal) -> None:
        self._check(proposals.withdraw_proposal, command)

    @workflow.update
    async def record_shipment(self, command: RecordShipment) -> None:
        await self._apply(rewards.record_shipment, command)

    @record_shipment.validator
    def _check_record_shipment(self, command: RecordShipment) -> None:
        self._check(rewards.record_shipment, command)

    @workflow.update
    async def acknowledge_receipt(self, command: AcknowledgeReceipt) -> None:
        await self._apply(rewards.acknowledge_receipt, command)

    @acknowledge_receipt.validator
    def _check_acknowledge_receipt(self, command: AcknowledgeReceipt) -> None:
        self._check(rewards.acknowledge_receipt, command)
