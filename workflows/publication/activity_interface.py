"""Signatures of the activities of publications and withdrawals; `activities` implements them over
gRPC.

Workflow code calls activities by these methods, and so imports neither gRPC nor protobuf.
"""

from abc import ABC, abstractmethod

from temporalio import activity

from workflows.notices import Batch
from workflows.publication.model import DeliveryResult, PublicationTerms, WithdrawalTerms


class PublicationActivityInterface(ABC):
    @activity.defn
    @abstractmethod
    async def deliver_publication(self, terms: PublicationTerms) -> DeliveryResult:
        """Delivers it to its channel."""

    @activity.defn
    @abstractmethod
    async def mark_publication_overdue(self, terms: PublicationTerms) -> DeliveryResult:
        """Records that the promised time has passed."""

    @activity.defn
    @abstractmethod
    async def remove_publication(self, terms: WithdrawalTerms) -> DeliveryResult:
        """Removes it from its channel."""

    @activity.defn
    @abstractmethod
    async def send_publication_notices(self, batch: Batch) -> None:
        """Sends notices that were pending."""
