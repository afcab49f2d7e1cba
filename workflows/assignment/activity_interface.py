"""Signatures of the assignment workflow's activities; `activities` implements them over gRPC.

Workflow code calls activities by these methods, and so imports neither gRPC nor protobuf.
"""

from abc import ABC, abstractmethod

from temporalio import activity

from workflows.assignment.inputs import Pending, RecordAssignment, SettleReward


class AssignmentActivityInterface(ABC):
    @activity.defn
    @abstractmethod
    async def record_assignment(self, request: RecordAssignment) -> Pending:
        """Writes transitions to the read model, sends notices, orders publication."""

    @activity.defn
    @abstractmethod
    async def settle_reward(self, request: SettleReward) -> bool:
        """Lowers or releases a reward; False when it is too late for that."""
