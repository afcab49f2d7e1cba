"""Signatures of the reconciliation workflow's activities; `activities` implements them over gRPC.

Workflow code calls activities by these methods, and so imports neither gRPC nor protobuf.
"""

from abc import ABC, abstractmethod

from temporalio import activity

from workflows.reconciliation.model import Reconcile, Reconciled


class ReconciliationActivityInterface(ABC):
    @activity.defn
    @abstractmethod
    async def reconcile_provider(self, request: Reconcile) -> Reconciled:
        """Compares one provider's transactions with the ledger."""
