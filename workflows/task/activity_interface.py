"""Signatures of the task workflow's activities; `activities` implements them over gRPC.

Workflow code calls activities by these methods, and so imports neither gRPC nor protobuf.
"""

from abc import ABC, abstractmethod

from temporalio import activity

from workflows.notices import Batch
from workflows.task.inputs import LapseApplications, RecordTask, ReserveRewards


class TaskActivityInterface(ABC):
    @activity.defn
    @abstractmethod
    async def record_task(self, request: RecordTask) -> bool:
        """Writes transitions to the read model; whether unselected applications wait."""

    @activity.defn
    @abstractmethod
    async def reserve_rewards(self, request: ReserveRewards) -> None:
        """Reserves the selected creators' rewards, all or none."""

    @activity.defn
    @abstractmethod
    async def lapse_applications(self, request: LapseApplications) -> None:
        """Closes the applications that were not selected, and notifies each creator."""

    @activity.defn
    @abstractmethod
    async def send_task_notices(self, batch: Batch) -> None:
        """Notifies the brand."""
