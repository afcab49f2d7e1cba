"""The other services as articles see them: real ones, asked in the role of a service."""

from collections.abc import AsyncIterator

import pytest
from liaison.creators.v1.creators_pb2_grpc import CreatorServiceStub
from liaison.tasks.v1 import tasks_pb2
from liaison.tasks.v1.assignments_pb2_grpc import AssignmentServiceStub
from liaison.tasks.v1.tasks_pb2_grpc import TaskServiceStub

from devstack.access import Access
from servicekit.postgres.database import Database
from services.media.articles.clients import AssignmentClient
from services.media.articles.domain import AssignmentContext, StoreCoupons
from services.media.clients import CreatorLevelClient
from tests.integration.creators import harness as creators
from tests.integration.tasks import harness as tasks
from tests.support.databases import Databases


@pytest.fixture
async def tasks_harness(access: Access, databases: Databases) -> AsyncIterator[tasks.Harness]:
    url = await databases.fresh("tasks")
    async with Database(url) as database, tasks.harness_of(access, database, url) as harness:
        yield harness


@pytest.fixture
async def creators_harness(access: Access, databases: Databases) -> AsyncIterator[creators.Harness]:
    async with (
        Database(await databases.fresh("creators")) as database,
        creators.harness_of(access, database) as harness,
    ):
        yield harness


async def test_a_commission_is_of_the_creators_own_assignment(tasks_harness: tasks.Harness) -> None:
    stores = [tasks_pb2.StoreCoupons(store_id="123", coupon_ids=["A1", "B2"])]
    task = await tasks_harness.task(store_coupons=stores)
    await tasks_harness.assignment(task, "a1")
    channel = tasks_harness.served.as_service("media")
    assignments = AssignmentClient(AssignmentServiceStub(channel), TaskServiceStub(channel))
    # The context has the coupons of the task.
    coupons = tuple(StoreCoupons(one.store_id, tuple(one.coupon_ids)) for one in task.store_coupons)
    assert await assignments.assignment_context("a1", "bea") == AssignmentContext(
        "a1", "acme", coupons
    )
    assert await assignments.assignment_context("a1", "carl") is None
    assert await assignments.assignment_context("unknown", "bea") is None


async def test_a_level_is_that_of_an_admitted_creator(creators_harness: creators.Harness) -> None:
    levels = CreatorLevelClient(CreatorServiceStub(creators_harness.served.as_service("media")))
    assert await levels.level("anna") == ""
    await creators_harness.applied()
    assert await levels.level("anna") == ""
    await creators_harness.operator().ReviewAdmission(creators.approval())
    assert await levels.level("anna") == "NEWCOMER"
    await creators_harness.operator().UpdateCreatorLevel(creators.level_change())
    assert await levels.level("anna") == "EXPERT"
