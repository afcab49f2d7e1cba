"""Signatures of the dispute workflow's activities; `activities` implements them over gRPC.

Workflow code calls activities by these methods, and so imports neither gRPC nor protobuf.
"""

from abc import ABC, abstractmethod

from temporalio import activity

from workflows.dispute.model import Change
from workflows.notices import Batch


class DisputeActivityInterface(ABC):
    @activity.defn
    @abstractmethod
    async def record_dispute(self, change: Change) -> Batch:
        """Records a change and sends its notices; returns those still pending."""

    @activity.defn
    @abstractmethod
    async def send_dispute_notices(self, batch: Batch) -> None:
        """Sends notices that were pending."""
