"""Activities of the task workflow: calls of the tasks, payouts and notifications services."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from liaison.payouts.v1 import payouts_pb2
from liaison.tasks.v1 import records_pb2, tasks_pb2
from temporalio import activity

from servicekit.errors import Reason
from servicekit.money import Money
from workflows.assignment.messages import assignment_message, transition_message
from workflows.assignment.rules.submissions import start
from workflows.clients import send_notices
from workflows.notices import Batch
from workflows.task.activity_interface import TaskActivityInterface
from workflows.task.inputs import LapseApplications, RecordTask, ReserveRewards
from workflows.task.messages import transition_message as task_transition_message
from workflows.task.notices import lapse_notice
from workflows.temporal.failures import retrying_all_but

if TYPE_CHECKING:  # what a stub is over an aio channel exists in the type stubs only
    from liaison.notifications.v1.notifications_pb2_grpc import NotificationServiceAsyncStub
    from liaison.payouts.v1.payouts_pb2_grpc import PayoutServiceAsyncStub
    from liaison.tasks.v1.records_pb2_grpc import RecordServiceAsyncStub


@dataclass(frozen=True)
class TaskActivities(TaskActivityInterface):
    records: "RecordServiceAsyncStub"
    payouts: "PayoutServiceAsyncStub"
    notifications: "NotificationServiceAsyncStub"

    @activity.defn
    async def record_task(self, request: RecordTask) -> bool:
        """Answers whether applications wait that were not selected. Every failure is retried, as
        with `record_assignment`.

        The assignments' own workflows record their first transition too; here it is recorded so
        that who selected the creators finds the assignments.
        """
        for new in request.new_assignments:
            assignment, first = start(new.id, new.creator_id, new.terms, new.select_time)
            await self.records.RecordAssignment(
                records_pb2.RecordAssignmentRequest(
                    assignment=assignment_message(assignment),
                    transitions=[transition_message(first)],
                )
            )
        response = await self.records.RecordTask(
            records_pb2.RecordTaskRequest(
                name=f"tasks/{request.task_id}",
                sequence=request.sequence,
                state=tasks_pb2.Task.State.Value(f"STATE_{request.state}"),
                selected_application_ids=request.selected_ids,
                transitions=[
                    task_transition_message(request.task_id, one) for one in request.transitions
                ],
            )
        )
        return response.has_waiting_applications

    @activity.defn
    async def reserve_rewards(self, request: ReserveRewards) -> None:
        with retrying_all_but(Reason.INSUFFICIENT_FUNDS, Reason.INVALID_FIELDS):
            await self.payouts.ReserveRewards(
                payouts_pb2.ReserveRewardsRequest(
                    brand=f"brands/{request.brand_id}",
                    amount=Money(request.currency, request.amount_minor).to_message(),
                    reservations=[
                        payouts_pb2.RewardReservation(
                            payout=f"payouts/{selection.application_id}",
                            creator=f"creators/{selection.creator_id}",
                        )
                        for selection in request.selections
                    ],
                )
            )

    @activity.defn
    async def lapse_applications(self, request: LapseApplications) -> None:
        """Lapses what was not selected, batch after batch, and notifies each creator once."""
        notified: list[str] = []
        while True:
            batch = await self.records.LapseApplications(
                records_pb2.LapseApplicationsRequest(
                    name=f"tasks/{request.task_id}",
                    selected_application_ids=request.selected_ids,
                    notified_creators=notified,
                )
            )
            notified = list(batch.creators)
            if not notified:
                return
            await send_notices(
                self.notifications, [lapse_notice(request, creator) for creator in notified]
            )
            activity.heartbeat()

    @activity.defn
    async def send_task_notices(self, batch: Batch) -> None:
        await send_notices(self.notifications, batch.notices)
