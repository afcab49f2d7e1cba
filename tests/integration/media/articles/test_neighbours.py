"""The other services as articles see them: real ones, asked in the role of a service."""

from collections.abc import AsyncIterator

import pytest
from liaison.creators.v1.creators_pb2_grpc import CreatorServiceStub
from liaison.tasks.v1 import tasks_pb2
from liaison.tasks.v1.assignments_pb2_grpc import AssignmentServiceStub
from liaison.tasks.v1.tasks_pb2_grpc import TaskServiceStub

from devstack.access import Access
from servicekit.database import Database
from services.media.articles.clients import GrpcAssignments
from services.media.articles.domain import Commission, StoreCoupons
from services.media.creators import GrpcCreatorLevels
from tests.integration.creators import house as creators
from tests.integration.tasks import house as tasks
from tests.support.databases import Databases


@pytest.fixture
async def tasks_house(access: Access, databases: Databases) -> AsyncIterator[tasks.House]:
    url = await databases.fresh("tasks")
    async with Database(url) as database, tasks.house_of(access, database, url) as house:
        yield house


@pytest.fixture
async def creators_house(access: Access, databases: Databases) -> AsyncIterator[creators.House]:
    async with (
        Database(await databases.fresh("creators")) as database,
        creators.house_of(access, database) as house,
    ):
        yield house


async def test_a_commission_is_of_the_creators_own_assignment(tasks_house: tasks.House) -> None:
    stores = [tasks_pb2.StoreCoupons(store_id="123", coupon_ids=["A1", "B2"])]
    task = await tasks_house.task(store_coupons=stores)
    await tasks_house.assignment(task, "a1")
    channel = tasks_house.served.as_service("media")
    assignments = GrpcAssignments(AssignmentServiceStub(channel), TaskServiceStub(channel))
    # What the task says of coupons, the commission says, too.
    coupons = tuple(StoreCoupons(one.store_id, tuple(one.coupon_ids)) for one in task.store_coupons)
    assert await assignments.commission("a1", "bea") == Commission("a1", "acme", coupons)
    assert await assignments.commission("a1", "carl") is None
    assert await assignments.commission("unknown", "bea") is None


async def test_a_level_is_that_of_an_admitted_creator(creators_house: creators.House) -> None:
    levels = GrpcCreatorLevels(CreatorServiceStub(creators_house.served.as_service("media")))
    assert await levels.level("anna") == ""
    await creators_house.applied()
    assert await levels.level("anna") == ""
    await creators_house.operator().ReviewAdmission(creators.approval())
    assert await levels.level("anna") == "NEWCOMER"
    await creators_house.operator().UpdateCreatorLevel(creators.level_change())
    assert await levels.level("anna") == "EXPERT"
