"""CancelTask."""

from liaison.tasks.v1 import tasks_pb2 as pb

from servicekit.errors import Reason
from tests.integration.tasks.harness import Harness
from tests.support.serving import refused, request_id


async def test_cancelling_is_the_workflows_decision(harness: Harness) -> None:
    draft = await harness.draft()
    request = pb.CancelTaskRequest(name=draft.name, comment="No budget", request_id=request_id())
    with refused(Reason.ILLEGAL_STATE):
        await harness.brand().CancelTask(request)
    await harness.publish(draft)
    cancelled = await harness.brand().CancelTask(request)
    assert cancelled.state == pb.Task.STATE_CANCELLED
    assert await harness.brand().CancelTask(request) == cancelled
    assert [one[1:] for one in harness.workflows.commands] == [
        ("cancel", ("brands/acme", "No budget"), request.request_id)
    ]
