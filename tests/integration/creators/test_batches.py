"""BatchGetCreators, for services."""

from liaison.creators.v1 import creators_pb2 as pb

from servicekit.errors import Reason
from tests.integration.creators.harness import Harness
from tests.support.serving import refused


def _asking(*names: str) -> pb.BatchGetCreatorsRequest:
    return pb.BatchGetCreatorsRequest(names=[f"creators/{name}" for name in names])


async def test_creators_are_returned_in_request_order_without_unknown_ones(
    harness: Harness,
) -> None:
    for name in ("anna", "bea", "cem"):
        await harness.registered(name)
    found = await harness.service.BatchGetCreators(_asking("cem", "dora", "anna"))
    assert list(found.creators) == [await harness.get("cem"), await harness.get("anna")]


async def test_at_most_a_hundred_names_are_accepted(harness: Harness) -> None:
    with refused(Reason.INVALID_FIELDS, "names"):
        await harness.service.BatchGetCreators(_asking(*(f"c{number}" for number in range(101))))


async def test_only_services_may_call(harness: Harness) -> None:
    await harness.registered("anna")
    for caller in (harness.creator("anna"), harness.brand, harness.operator(), harness.platform):
        with refused(Reason.ROLE_NOT_ALLOWED):
            await caller.BatchGetCreators(_asking("anna"))
