"""Statistics observed by platforms: the newest count, and they never end an admission."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from liaison.creators.v1 import creators_pb2 as pb

from servicekit.errors import Reason
from tests.integration.creators.harness import (
    EXTERNAL,
    INTERNAL,
    SECOND,
    Harness,
    appeal,
    application,
    approval,
    counts,
    refusal,
)

DECLARED, OBSERVED = pb.STATISTICS_SOURCE_DECLARED, pb.STATISTICS_SOURCE_OBSERVED


@pytest.mark.rule("R3", "R4", "R8", "R9")
@pytest.mark.parametrize(
    ("account_class", "posts", "followers", "unmet"),
    [
        (INTERNAL, 20, 10_001, ["R3"]),
        (INTERNAL, 21, 10_000, ["R4"]),
        (INTERNAL, 0, 0, ["R3", "R4"]),
        (INTERNAL, 21, 10_001, []),
        (EXTERNAL, 50, 5_001, ["R8"]),
        (EXTERNAL, 51, 5_000, ["R9"]),
        (EXTERNAL, 51, 5_001, []),
    ],
)
async def test_falling_below_a_criterion_keeps_the_admission_and_lists_the_criterion(
    harness: Harness, account_class: int, posts: int, followers: int, unmet: list[str]
) -> None:
    before = await harness.admitted(account_class=account_class, post_count=500)
    harness.now += SECOND
    answer = await harness.platform.UpdateStatistics(counts(posts, followers, harness.now))
    assert (answer.post_count, answer.follower_count) == (posts, followers)
    creator = await harness.get()
    assert creator.state == pb.Creator.STATE_ADMITTED
    assert creator.statistics == answer
    assert creator.account == before.account  # as declared in the application
    assert [one.rule_id for one in creator.unmet_criteria] == unmet
    assert (creator.refusals, creator.level) == (before.refusals, before.level)
    harness.now += SECOND
    await harness.platform.UpdateStatistics(counts(100, 20_000, harness.now))
    assert not (await harness.get()).unmet_criteria


@pytest.mark.rule("R3", "R4")
async def test_declared_counts_hold_until_a_platform_observes_any(harness: Harness) -> None:
    """Even counts observed before the application replace the declared ones."""
    creator = await harness.applied(post_count=30, follower_count=20_000)
    assert creator.statistics.observe_time == creator.update_time
    assert creator.statistics.source == DECLARED
    observed = harness.now - timedelta(days=1)
    answer = await harness.platform.UpdateStatistics(counts(3, 4, observed))
    assert (answer.post_count, answer.follower_count, answer.source) == (3, 4, OBSERVED)
    creator = await harness.get()
    assert creator.statistics == answer
    assert creator.state == pb.Creator.STATE_PENDING_REVIEW
    for age in (timedelta(0), SECOND, timedelta(days=365)):  # the same time, and older
        assert await harness.platform.UpdateStatistics(counts(99, 99_999, observed - age)) == answer
        assert await harness.get() == creator
    newer = observed + timedelta(microseconds=1)
    assert (await harness.platform.UpdateStatistics(counts(40, 30_000, newer))).post_count == 40
    assert not (await harness.get()).unmet_criteria


@pytest.mark.rule("R3", "R4", "R8", "R9")
@pytest.mark.parametrize("account_class", [INTERNAL, EXTERNAL])
async def test_declared_counts_never_replace_observed_ones_of_the_same_account(
    harness: Harness, account_class: int
) -> None:
    rules = {INTERNAL: ["R3", "R4"], EXTERNAL: ["R8", "R9"]}[account_class]
    creator = await harness.applied(account_class=account_class, post_count=1)
    assert [one.rule_id for one in creator.refusals] == rules[:1]
    harness.now += SECOND
    observed = await harness.platform.UpdateStatistics(counts(2, 3, harness.now))
    harness.now += SECOND
    for handle in ("@anna", "Anna"):
        creator = await harness.creator().ApplyForAdmission(
            application(account_class=account_class, handle=handle, post_count=5_000)
        )
        assert (creator.state, creator.refused_by) == (pb.Creator.STATE_REFUSED, "system")
        assert [one.rule_id for one in creator.refusals] == rules
        assert creator.statistics == observed
        assert creator.account.post_count == 5_000  # the declared count is still recorded
    await harness.platform.UpdateStatistics(counts(500, 50_000, harness.now))
    creator = await harness.creator().ApplyForAdmission(
        application(account_class=account_class, post_count=1)
    )
    assert creator.state == pb.Creator.STATE_PENDING_REVIEW
    assert (creator.statistics.post_count, creator.statistics.source) == (500, OBSERVED)


@pytest.mark.rule("R3", "R4")
async def test_each_account_keeps_its_own_observed_counts(
    harness: Harness,
) -> None:
    await harness.applied(post_count=1)
    harness.now += SECOND
    observed = await harness.platform.UpdateStatistics(counts(2, 3, harness.now))
    creator = await harness.creator().ApplyForAdmission(application(handle="@other"))
    assert creator.state == pb.Creator.STATE_PENDING_REVIEW
    assert creator.statistics.source == DECLARED
    await harness.operator().ReviewAdmission(refusal())
    creator = await harness.creator().ApplyForAdmission(application(account_class=EXTERNAL))
    assert creator.statistics.source == DECLARED
    await harness.operator().ReviewAdmission(refusal())
    creator = await harness.creator().ApplyForAdmission(application())
    assert (creator.state, creator.statistics) == (pb.Creator.STATE_REFUSED, observed)


@pytest.mark.rule("R3", "R4", "R8", "R9")
@pytest.mark.parametrize(
    ("account_class", "posts", "followers", "missing"),
    [
        (INTERNAL, 20, 10_001, "R3"),
        (INTERNAL, 21, 10_000, "R4"),
        (INTERNAL, 20, 10_000, "R3, R4"),
        (EXTERNAL, 50, 5_001, "R8"),
        (EXTERNAL, 51, 5_000, "R9"),
    ],
)
@pytest.mark.parametrize("has_appealed", [False, True])
async def test_staff_cannot_admit_below_the_numeric_criteria(
    harness: Harness,
    account_class: int,
    posts: int,
    followers: int,
    missing: str,
    has_appealed: bool,
) -> None:
    await harness.applied(account_class=account_class)
    if has_appealed:
        await harness.operator("otto").ReviewAdmission(refusal())
        await harness.creator().AppealAdmission(appeal())
    harness.now += SECOND
    await harness.platform.UpdateStatistics(counts(posts, followers, harness.now))
    async with harness.refuses(Reason.CREATOR_NOT_ELIGIBLE) as caught:
        await harness.operator().ReviewAdmission(approval())
    assert caught.value.metadata == {"missing": missing}
    harness.now += SECOND
    await harness.platform.UpdateStatistics(counts(51, 10_001, harness.now))
    creator = await harness.operator().ReviewAdmission(approval())
    assert creator.state == pb.Creator.STATE_ADMITTED


async def test_counts_observed_in_the_future_are_refused(harness: Harness) -> None:
    await harness.applied()
    latest = harness.now + timedelta(minutes=5)
    async with harness.refuses(Reason.INVALID_FIELDS, "observe_time"):
        await harness.platform.UpdateStatistics(counts(50, 50_000, latest + SECOND))
    answer = await harness.platform.UpdateStatistics(counts(50, 50_000, latest))
    assert answer.post_count == 50


async def test_statistics_requests_are_validated(harness: Harness) -> None:
    await harness.applied()
    harness.now += SECOND
    request = counts(0, 0, harness.now)  # zero is valid
    assert (await harness.platform.UpdateStatistics(request)).post_count == 0
    everything = ("name", "post_count", "follower_count", "observe_time", "request_id")
    async with harness.refuses(Reason.INVALID_FIELDS, *everything):
        await harness.platform.UpdateStatistics(pb.UpdateStatisticsRequest())
    async with harness.refuses(Reason.INVALID_FIELDS, "post_count", "follower_count"):
        await harness.platform.UpdateStatistics(counts(-1, -(2**31), harness.now))
    for time in (
        Timestamp(seconds=10**15),
        Timestamp(seconds=1, nanos=-1),
        Timestamp(seconds=int(datetime(1999, 12, 31, tzinfo=UTC).timestamp())),
    ):
        request = counts(1, 1, harness.now)
        request.observe_time.CopyFrom(time)
        async with harness.refuses(Reason.INVALID_FIELDS, "observe_time"):
            await harness.platform.UpdateStatistics(request)
    for name in ("anna", "creators/", "creators/a/b", "creators/\u0000"):
        request = counts(1, 1, harness.now)
        request.name = name
        async with harness.refuses(Reason.INVALID_FIELDS, "name"):
            await harness.platform.UpdateStatistics(request)
    async with harness.refuses(Reason.NOT_FOUND):
        await harness.platform.UpdateStatistics(counts(1, 1, harness.now, "nobody"))
    await harness.registered("bob")
    async with harness.refuses(Reason.ILLEGAL_STATE):  # it has no account yet
        await harness.platform.UpdateStatistics(counts(1, 1, harness.now, "bob"))


async def test_only_platforms_update_statistics_and_may_do_nothing_else(harness: Harness) -> None:
    await harness.applied()
    harness.now += SECOND
    for other in (harness.creator(), harness.operator(), harness.brand):
        async with harness.refuses(Reason.ROLE_NOT_ALLOWED):
            await other.UpdateStatistics(counts(99, 99_999, harness.now))
    for call, request in (
        (harness.platform.GetCreator, pb.GetCreatorRequest(name="creators/anna")),
        (harness.platform.ListCreators, pb.ListCreatorsRequest()),
        (harness.platform.ReviewAdmission, approval()),
    ):
        async with harness.refuses(Reason.ROLE_NOT_ALLOWED):
            await call(request)


async def test_of_concurrent_statistics_the_newest_are_kept(harness: Harness) -> None:
    await harness.admitted()
    harness.now += timedelta(hours=1)
    order = (3, 7, 1, 5, 0, 6, 2, 4)
    await asyncio.gather(
        *(
            harness.platform.UpdateStatistics(
                counts(100 + n, 20_000, harness.now - (10 - n) * SECOND)
            )
            for n in order
        )
    )
    assert (await harness.get()).statistics.post_count == 107


async def test_a_concurrent_review_and_statistics_are_both_kept(harness: Harness) -> None:
    await harness.applied()
    harness.now += SECOND
    await asyncio.gather(
        harness.platform.UpdateStatistics(counts(77, 77_777, harness.now)),
        harness.operator().ReviewAdmission(approval()),
    )
    creator = await harness.get()
    assert (creator.state, creator.statistics.post_count) == (pb.Creator.STATE_ADMITTED, 77)


async def test_a_repeated_update_gets_the_first_response(harness: Harness) -> None:
    await harness.applied()
    harness.now += SECOND
    request = counts(50, 50_000, harness.now)
    first = await harness.platform.UpdateStatistics(request)
    harness.now += SECOND
    await harness.platform.UpdateStatistics(counts(60, 60_000, harness.now))
    assert await harness.platform.UpdateStatistics(request) == first
    assert (await harness.get()).statistics.post_count == 60
