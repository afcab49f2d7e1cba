"""Overrides and shipments by operators."""

from datetime import UTC, datetime
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from liaison.tasks.v1 import assignments_pb2 as pb

from servicekit.errors import FailedPrecondition, Reason
from servicekit.timestamps import to_timestamp
from tests.integration.tasks.harness import Harness
from tests.support.serving import refused, request_id
from workflows.assignment import commands
from workflows.assignment.model import Action

NAME = "assignments/a1"
TIME = datetime(2026, 2, 28, 12, tzinfo=UTC)
TIMED = (Action.MOVE_CLOCK, Action.REOPEN)


def overriding(action: Action | int, name: str = NAME, **values: Any) -> Any:
    if isinstance(action, Action):
        if action in TIMED:
            values.setdefault("deadline_time", to_timestamp(TIME))
        action = pb.OverrideAssignmentRequest.Action.Value(f"ACTION_{action}")
    values.setdefault("reason", "They asked for it")
    return pb.OverrideAssignmentRequest(
        name=name,
        action=pb.OverrideAssignmentRequest.Action.ValueType(action),
        request_id=request_id(),
        **values,
    )


@pytest.fixture
async def begun(harness: Harness) -> Harness:
    await harness.assignment(await harness.task(), "a1")
    return harness


@pytest.mark.parametrize("action", Action)
async def test_each_override_goes_to_the_workflow_with_who_and_why(
    begun: Harness, action: Action
) -> None:
    request = overriding(action)
    answer = await begun.oversight().OverrideAssignment(request)
    assert answer.name == NAME
    assert await begun.oversight().OverrideAssignment(request) == answer
    time = TIME if action in TIMED else None
    said = commands.OverrideAssignment("staff/olga", action, "They asked for it", time)
    assert begun.workflows.commands == [("a1", "OverrideAssignment", said, request.request_id)]
    request.reason = "Another"
    with refused(Reason.REQUEST_ID_REUSED):
        await begun.oversight().OverrideAssignment(request)


@pytest.mark.parametrize("action", Action)
async def test_only_timed_overrides_take_a_deadline(begun: Harness, action: Action) -> None:
    request = overriding(action)
    if action in TIMED:
        request.ClearField("deadline_time")
    else:
        request.deadline_time.CopyFrom(to_timestamp(TIME))
    with refused(Reason.INVALID_FIELDS, "deadline_time") as caught:
        await begun.oversight().OverrideAssignment(request)
    assert action in caught.value.violations[0].description
    assert begun.workflows.commands == []


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (overriding(0), "action"),
        (overriding(99), "action"),
        (overriding(Action.APPROVE, reason=""), "reason"),
        (overriding(Action.APPROVE, reason=" \u2003\n"), "reason"),
        (overriding(Action.APPROVE, reason="x" * 2001), "reason"),
        (overriding(Action.APPROVE, "assignments/"), "name"),
        (overriding(Action.REOPEN, deadline_time=Timestamp(seconds=10**15)), "deadline_time"),
        (overriding(Action.MOVE_CLOCK, deadline_time=Timestamp(seconds=1)), "deadline_time"),
    ],
)
async def test_an_invalid_override_names_its_field(
    begun: Harness, request_: pb.OverrideAssignmentRequest, field: str
) -> None:
    with refused(Reason.INVALID_FIELDS, field):
        await begun.oversight().OverrideAssignment(request_)
    assert begun.workflows.commands == []


async def test_everything_that_is_missing_is_named_at_once(begun: Harness) -> None:
    with refused(Reason.INVALID_FIELDS, "action", "name", "reason", "request_id"):
        await begun.oversight().OverrideAssignment(pb.OverrideAssignmentRequest())


async def test_only_operators_override(begun: Harness) -> None:
    for other in (begun.work_of(), begun.review_of(), begun.oversight("mediator")):
        with refused(Reason.ROLE_NOT_ALLOWED):
            await other.OverrideAssignment(overriding(Action.APPROVE))
    with refused(Reason.NOT_FOUND):
        await begun.oversight().OverrideAssignment(overriding(Action.APPROVE, "assignments/no"))
    assert begun.workflows.commands == []


async def test_the_workflows_refusal_is_returned_to_the_operator(begun: Harness) -> None:
    begun.workflows.refusal = FailedPrecondition(Reason.DEADLINE_NOT_LATER, "Not in the future")
    with refused(Reason.DEADLINE_NOT_LATER):
        await begun.oversight().OverrideAssignment(overriding(Action.REOPEN))


async def test_an_operator_records_a_shipment_in_the_brands_stead(begun: Harness) -> None:
    request = pb.RecordShipmentRequest(
        name=NAME,
        shipment=pb.Shipment(carrier="DHL", tracking_number="JD 1"),
        request_id=request_id(),
    )
    await begun.oversight().RecordShipment(request)
    ((_, _, said, _),) = begun.workflows.commands
    assert said == commands.RecordShipment("staff/olga", "DHL", "JD 1")
    for other in (begun.work_of(), begun.oversight("mediator")):
        with refused(Reason.ROLE_NOT_ALLOWED):
            await other.RecordShipment(request)
    request.name = "assignments/no"
    request.request_id = request_id()
    with refused(Reason.NOT_FOUND):
        await begun.oversight().RecordShipment(request)
