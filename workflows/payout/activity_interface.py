"""Signatures of the payout workflow's activities; `activities` implements them over gRPC.

Workflow code calls activities by these methods, and so imports neither gRPC nor protobuf.
"""

from abc import ABC, abstractmethod

from temporalio import activity

from workflows.payout.model import PayoutStatus, PayoutTerms, RecallPayout, SendPayout, State


class PayoutActivityInterface(ABC):
    @activity.defn
    @abstractmethod
    async def get_payout_status(self, payout_id: str) -> PayoutStatus:
        """Returns the recorded status of the payout."""

    @activity.defn
    @abstractmethod
    async def reserve_reward(self, terms: PayoutTerms) -> None:
        """Makes the reservation, or lowers it to the amount of `terms`."""

    @activity.defn
    @abstractmethod
    async def send_payout(self, request: SendPayout) -> State:
        """Sends one attempt to the provider."""

    @activity.defn
    @abstractmethod
    async def refresh_payout(self, payout_id: str) -> State:
        """Asks the provider for the status of the latest attempt."""

    @activity.defn
    @abstractmethod
    async def recall_payout(self, request: RecallPayout) -> State:
        """Takes an unclaimed payment back."""

    @activity.defn
    @abstractmethod
    async def release_reward(self, payout_id: str) -> None:
        """Gives a reservation that is not needed back to the brand."""
