"""Eligibility for tasks follows the creators service: both services run."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from liaison.creators.v1.creators_pb2_grpc import CreatorServiceStub
from liaison.tasks.v1 import tasks_pb2

from devstack.access import Access
from servicekit.errors import Reason
from servicekit.postgres.database import Database
from services.tasks.clients import CreatorClient
from tests.integration.creators.harness import (
    EXTERNAL,
    INTERNAL,
    SECOND,
    Harness,
    access_review,
    counts,
    form,
    level_change,
)
from tests.integration.tasks.harness import Harness as TasksHarness
from tests.integration.tasks.harness import harness_of as tasks_harness_of
from tests.support.databases import Databases
from tests.support.serving import refused


@pytest.fixture
async def tasks(
    access: Access, databases: Databases, harness: Harness
) -> AsyncIterator[TasksHarness]:
    """The tasks service, which asks the creators service of `harness` about creators."""
    url = await databases.fresh("tasks")
    async with (
        Database(url, pool_size=4) as database,
        tasks_harness_of(access, database, url) as tasks,
    ):
        creators = CreatorClient(CreatorServiceStub(harness.served.as_service("tasks")))
        tasks.creators.candidate = creators.candidate
        yield tasks


async def _observed(harness: Harness, posts: int, followers: int) -> None:
    harness.now += SECOND
    await harness.platform.UpdateStatistics(counts(posts, followers, harness.now))


@pytest.mark.rule("R3", "R4", "R8", "R9")
@pytest.mark.parametrize(
    ("account_class", "posts", "followers", "missing"),
    [
        (INTERNAL, 20, 10_001, "R3"),
        (INTERNAL, 21, 10_000, "R4"),
        (INTERNAL, 20, 10_000, "R3, R4"),
        (INTERNAL, 21, 10_001, ""),
        (EXTERNAL, 50, 5_001, "R8"),
        (EXTERNAL, 51, 5_000, "R9"),
        (EXTERNAL, 50, 5_000, "R8, R9"),
        (EXTERNAL, 51, 5_001, ""),
    ],
)
async def test_numeric_criteria_are_checked_on_each_application_for_a_task(
    harness: Harness,
    tasks: TasksHarness,
    account_class: int,
    posts: int,
    followers: int,
    missing: str,
) -> None:
    await harness.admitted(account_class=account_class, post_count=500, follower_count=50_000)
    await _observed(harness, posts, followers)
    task = await tasks.task()
    if not missing:
        await tasks.apply(task, "anna")
        return
    with refused(Reason.CREATOR_NOT_ELIGIBLE) as caught:
        await tasks.apply(task, "anna")
    assert caught.value.metadata["missing"] == missing
    assert ("posts" in caught.value.message) == ("R3" in missing or "R8" in missing)
    assert ("followers" in caught.value.message) == ("R4" in missing or "R9" in missing)


@pytest.mark.rule("R3", "R4", "R8", "R9", "R56")
@pytest.mark.parametrize(
    ("account_class", "posts", "followers"),
    [
        (INTERNAL, 20, 10_001),
        (INTERNAL, 21, 10_000),
        (EXTERNAL, 50, 5_001),
        (EXTERNAL, 51, 5_000),
    ],
)
async def test_numeric_criteria_are_checked_on_selection_and_hidden_from_the_brand(
    harness: Harness, tasks: TasksHarness, account_class: int, posts: int, followers: int
) -> None:
    await harness.admitted(account_class=account_class, post_count=500, follower_count=50_000)
    task = await tasks.task()
    application = await tasks.apply(task, "anna")
    await _observed(harness, posts, followers)
    with refused(Reason.CREATOR_NOT_ELIGIBLE) as caught:
        await tasks.select(task, [application])
    assert caught.value.message == f"{application.name} can no longer be selected"
    assert caught.value.metadata == {"application": application.name}
    await _observed(harness, 51, 10_001)
    await tasks.select(task, [application])


@pytest.mark.rule("R2", "R32", "R37", "R43")
async def test_only_admitted_creators_take_tasks(harness: Harness, tasks: TasksHarness) -> None:
    await harness.registered("anna")
    await harness.applied("bob")
    await harness.refused("cleo")
    await harness.appealed("dora")
    await harness.admitted("emma")
    task = await tasks.task()
    for name in ("nobody", "anna", "bob", "cleo", "dora"):
        with refused(Reason.CREATOR_NOT_ADMITTED):
            await tasks.apply(task, name)
    await tasks.apply(task, "emma")


@pytest.mark.rule("R20", "R55")
async def test_a_live_stream_needs_access_unless_on_the_brands_account(
    harness: Harness, tasks: TasksHarness
) -> None:
    live: dict[str, Any] = {"content_types": [tasks_pb2.CONTENT_TYPE_LIVE_STREAM]}
    own = await tasks.task(**live)
    brands = await tasks.task(
        **live, live_stream_channel=tasks_pb2.LIVE_STREAM_CHANNEL_BRAND_ACCOUNT
    )
    await harness.admitted()

    async def is_ineligible() -> None:
        with refused(Reason.CREATOR_NOT_ELIGIBLE) as caught:
            await tasks.apply(own, "anna")
        assert caught.value.metadata["missing"] == "live_stream_access"

    await is_ineligible()
    await tasks.apply(brands, "anna")
    await harness.creator().ApplyForLiveStreamAccess(form())
    await is_ineligible()
    await harness.operator().ReviewLiveStreamAccess(access_review("REFUSE", "Not yet"))
    await is_ineligible()
    await harness.creator().ApplyForLiveStreamAccess(form())
    await harness.operator().ReviewLiveStreamAccess(access_review("GRANT"))
    application = await tasks.apply(own, "anna")

    await harness.operator().ReviewLiveStreamAccess(access_review("REVOKE", "No longer"))
    with refused(Reason.CREATOR_NOT_ELIGIBLE) as caught:
        await tasks.select(own, [application])
    assert caught.value.metadata == {"application": application.name}


async def test_a_raised_level_makes_eligible(harness: Harness, tasks: TasksHarness) -> None:
    await harness.admitted()
    eligibility = tasks_pb2.Eligibility(minimum_level=level_change().level)
    task = await tasks.task(eligibility=eligibility)
    with refused(Reason.CREATOR_NOT_ELIGIBLE) as caught:
        await tasks.apply(task, "anna")
    assert caught.value.metadata["missing"] == "level"
    await harness.operator().UpdateCreatorLevel(level_change())
    await tasks.apply(task, "anna")
