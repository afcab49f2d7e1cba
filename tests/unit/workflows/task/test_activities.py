"""Requests that a task's activities send to the services."""

from typing import Any

import pytest
from liaison.payouts.v1 import payouts_pb2
from liaison.tasks.v1 import records_pb2
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from servicekit.errors import FailedPrecondition, Reason
from servicekit.money import Money
from tests.unit.workflows.samples import (
    BEGIN,
    BRAND,
    CREATOR,
    selection,
    terms,
)
from tests.unit.workflows.services import FakeService
from workflows.assignment.inputs import StartAssignment
from workflows.task.activities import TaskActivities
from workflows.task.inputs import LapseApplications, RecordTask, ReserveRewards
from workflows.task.model import State


async def test_a_selection_is_recorded_with_its_assignments() -> None:
    records = FakeService(
        {"RecordTask": [records_pb2.RecordTaskResponse(has_waiting_applications=True)]}
    )
    activities: Any = TaskActivities(records, FakeService(), FakeService())  # type: ignore[arg-type]  # stand-ins
    new = StartAssignment("app1", "creator1", terms(), BEGIN)
    command = RecordTask("t1", 1, State.IN_PROGRESS, ["app1"], [new])
    assert await activities.record_task(command) is True
    assignment, task = records.requests
    assert assignment.assignment.name == "assignments/app1"  # type: ignore[attr-defined]  # its message
    assert list(task.selected_application_ids) == ["app1"]  # type: ignore[attr-defined]  # its message


async def test_rewards_are_reserved_together_or_the_selection_is_refused() -> None:
    payouts = FakeService(
        {"ReserveRewards": [None, FailedPrecondition(Reason.INSUFFICIENT_FUNDS, "")]}
    )
    activities: Any = TaskActivities(FakeService(), payouts, FakeService())  # type: ignore[arg-type]  # stand-ins
    command = ReserveRewards("acme", "USD", 10_000, [selection(1), selection(2)])
    await activities.reserve_rewards(command)
    assert payouts.requests == [
        payouts_pb2.ReserveRewardsRequest(
            brand=BRAND,
            amount=Money("USD", 10_000).to_message(),
            reservations=[
                payouts_pb2.RewardReservation(
                    payout=f"payouts/app{number}", creator=f"creators/creator{number}"
                )
                for number in (1, 2)
            ],
        )
    ]
    with pytest.raises(ApplicationError) as refused:
        await activities.reserve_rewards(command)
    assert (refused.value.type, refused.value.non_retryable) == ("INSUFFICIENT_FUNDS", True)


async def test_creators_of_lapsed_applications_are_notified_in_batches() -> None:
    def batch(*creators: str) -> records_pb2.LapseApplicationsResponse:
        return records_pb2.LapseApplicationsResponse(creators=creators)

    records = FakeService({"LapseApplications": [batch(CREATOR), batch("creators/cem"), batch()]})
    notifications = FakeService({"SendNotifications": [None, None]})
    activities: Any = TaskActivities(records, FakeService(), notifications)  # type: ignore[arg-type]  # stand-ins
    command = LapseApplications("t1", "A {review}", "No budget", ["app1"])
    await ActivityEnvironment().run(activities.lapse_applications, command)
    assert [list(one.notified_creators) for one in records.requests] == [  # type: ignore[attr-defined]  # their message
        [],
        [CREATOR],
        ["creators/cem"],
    ]
    outgoing = [one.notifications[0] for one in notifications.requests]  # type: ignore[attr-defined]  # their message
    assert [one.notification.text for one in outgoing] == [
        "The task 'A {review}' was cancelled: No budget."
    ] * 2
    assert {one.deduplication_id for one in outgoing} == {
        f"task/t1/lapsed/{creator}" for creator in (CREATOR, "creators/cem")
    }
