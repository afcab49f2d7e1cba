"""Several creators at once, as the platform's services ask for them."""

from liaison.creators.v1 import creators_pb2 as pb

from servicekit.errors import Reason
from tests.integration.creators.house import House
from tests.support.serving import refused


def _asking(*names: str) -> pb.BatchGetCreatorsRequest:
    return pb.BatchGetCreatorsRequest(names=[f"creators/{name}" for name in names])


async def test_they_come_in_the_order_asked_for_without_those_who_are_unknown(house: House) -> None:
    for name in ("anna", "bea", "cem"):
        await house.registered(name)
    found = await house.service.BatchGetCreators(_asking("cem", "dora", "anna"))
    assert list(found.creators) == [await house.get("cem"), await house.get("anna")]


async def test_more_than_a_hundred_are_too_many(house: House) -> None:
    with refused(Reason.INVALID_FIELDS, "names"):
        await house.service.BatchGetCreators(_asking(*(f"c{number}" for number in range(101))))


async def test_they_are_for_services_only(house: House) -> None:
    await house.registered("anna")
    for caller in (house.creator("anna"), house.brand, house.operator(), house.platform):
        with refused(Reason.ROLE_NOT_ALLOWED):
            await caller.BatchGetCreators(_asking("anna"))
