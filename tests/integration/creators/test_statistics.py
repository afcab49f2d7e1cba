"""Counts as a platform observes them: the newest stand, and nobody is un-admitted by them."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from liaison.creators.v1 import creators_pb2 as pb

from servicekit.errors import Reason
from tests.integration.creators.house import (
    EXTERNAL,
    INTERNAL,
    SECOND,
    House,
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
async def test_who_falls_short_later_stays_admitted_and_is_told_what_is_unmet(
    house: House, account_class: int, posts: int, followers: int, unmet: list[str]
) -> None:
    before = await house.admitted(account_class=account_class, post_count=500)
    house.now += SECOND
    answer = await house.platform.UpdateStatistics(counts(posts, followers, house.now))
    assert (answer.post_count, answer.follower_count) == (posts, followers)
    creator = await house.get()
    assert creator.state == pb.Creator.STATE_ADMITTED
    assert creator.statistics == answer
    assert creator.account == before.account  # what was shown at the application
    assert [one.rule_id for one in creator.unmet_criteria] == unmet
    assert (creator.refusals, creator.level) == (before.refusals, before.level)
    house.now += SECOND
    await house.platform.UpdateStatistics(counts(100, 20_000, house.now))
    assert not (await house.get()).unmet_criteria


@pytest.mark.rule("R3", "R4")
async def test_what_was_declared_stands_until_a_platform_has_looked(house: House) -> None:
    """Even if it looked before the application was made."""
    creator = await house.applied(post_count=30, follower_count=20_000)
    assert creator.statistics.observe_time == creator.update_time
    assert creator.statistics.source == DECLARED
    observed = house.now - timedelta(days=1)
    answer = await house.platform.UpdateStatistics(counts(3, 4, observed))
    assert (answer.post_count, answer.follower_count, answer.source) == (3, 4, OBSERVED)
    creator = await house.get()
    assert creator.statistics == answer
    assert creator.state == pb.Creator.STATE_PENDING_REVIEW
    for age in (timedelta(0), SECOND, timedelta(days=365)):  # of that very instant, and older
        assert await house.platform.UpdateStatistics(counts(99, 99_999, observed - age)) == answer
        assert await house.get() == creator
    newer = observed + timedelta(microseconds=1)
    assert (await house.platform.UpdateStatistics(counts(40, 30_000, newer))).post_count == 40
    assert not (await house.get()).unmet_criteria


@pytest.mark.rule("R3", "R4", "R8", "R9")
@pytest.mark.parametrize("account_class", [INTERNAL, EXTERNAL])
async def test_no_declaration_beats_what_was_observed_of_the_account(
    house: House, account_class: int
) -> None:
    rules = {INTERNAL: ["R3", "R4"], EXTERNAL: ["R8", "R9"]}[account_class]
    creator = await house.applied(account_class=account_class, post_count=1)
    assert [one.rule_id for one in creator.refusals] == rules[:1]
    house.now += SECOND
    observed = await house.platform.UpdateStatistics(counts(2, 3, house.now))
    house.now += SECOND
    for handle in ("@anna", "Anna"):
        creator = await house.creator().ApplyForAdmission(
            application(account_class=account_class, handle=handle, post_count=5_000)
        )
        assert (creator.state, creator.refused_by) == (pb.Creator.STATE_REFUSED, "system")
        assert [one.rule_id for one in creator.refusals] == rules
        assert creator.statistics == observed
        assert creator.account.post_count == 5_000  # what was said is on record all the same
    await house.platform.UpdateStatistics(counts(500, 50_000, house.now))
    creator = await house.creator().ApplyForAdmission(
        application(account_class=account_class, post_count=1)
    )
    assert creator.state == pb.Creator.STATE_PENDING_REVIEW
    assert (creator.statistics.post_count, creator.statistics.source) == (500, OBSERVED)


@pytest.mark.rule("R3", "R4")
async def test_another_account_has_counts_of_its_own_and_the_first_is_remembered(
    house: House,
) -> None:
    await house.applied(post_count=1)
    house.now += SECOND
    observed = await house.platform.UpdateStatistics(counts(2, 3, house.now))
    creator = await house.creator().ApplyForAdmission(application(handle="@other"))
    assert creator.state == pb.Creator.STATE_PENDING_REVIEW
    assert creator.statistics.source == DECLARED
    await house.operator().ReviewAdmission(refusal())
    creator = await house.creator().ApplyForAdmission(application(account_class=EXTERNAL))
    assert creator.statistics.source == DECLARED
    await house.operator().ReviewAdmission(refusal())
    creator = await house.creator().ApplyForAdmission(application())
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
async def test_staff_admit_nobody_who_falls_short(
    house: House, account_class: int, posts: int, followers: int, missing: str, has_appealed: bool
) -> None:
    await house.applied(account_class=account_class)
    if has_appealed:
        await house.operator("otto").ReviewAdmission(refusal())
        await house.creator().AppealAdmission(appeal())
    house.now += SECOND
    await house.platform.UpdateStatistics(counts(posts, followers, house.now))
    async with house.refuses(Reason.CREATOR_NOT_ELIGIBLE) as caught:
        await house.operator().ReviewAdmission(approval())
    assert caught.value.metadata == {"missing": missing}
    house.now += SECOND
    await house.platform.UpdateStatistics(counts(51, 10_001, house.now))
    creator = await house.operator().ReviewAdmission(approval())
    assert creator.state == pb.Creator.STATE_ADMITTED


async def test_nobody_has_seen_the_future(house: House) -> None:
    await house.applied()
    latest = house.now + timedelta(minutes=5)
    async with house.refuses(Reason.INVALID_FIELDS, "observe_time"):
        await house.platform.UpdateStatistics(counts(50, 50_000, latest + SECOND))
    answer = await house.platform.UpdateStatistics(counts(50, 50_000, latest))
    assert answer.post_count == 50


async def test_counts_must_be_counts_of_somebody_known(house: House) -> None:
    await house.applied()
    house.now += SECOND
    request = counts(0, 0, house.now)  # nothing is a count, too
    assert (await house.platform.UpdateStatistics(request)).post_count == 0
    everything = ("name", "post_count", "follower_count", "observe_time", "request_id")
    async with house.refuses(Reason.INVALID_FIELDS, *everything):
        await house.platform.UpdateStatistics(pb.UpdateStatisticsRequest())
    async with house.refuses(Reason.INVALID_FIELDS, "post_count", "follower_count"):
        await house.platform.UpdateStatistics(counts(-1, -(2**31), house.now))
    for time in (
        Timestamp(seconds=10**15),
        Timestamp(seconds=1, nanos=-1),
        Timestamp(seconds=int(datetime(1999, 12, 31, tzinfo=UTC).timestamp())),
    ):
        request = counts(1, 1, house.now)
        request.observe_time.CopyFrom(time)
        async with house.refuses(Reason.INVALID_FIELDS, "observe_time"):
            await house.platform.UpdateStatistics(request)
    for name in ("anna", "creators/", "creators/a/b", "creators/\u0000"):
        request = counts(1, 1, house.now)
        request.name = name
        async with house.refuses(Reason.INVALID_FIELDS, "name"):
            await house.platform.UpdateStatistics(request)
    async with house.refuses(Reason.NOT_FOUND):
        await house.platform.UpdateStatistics(counts(1, 1, house.now, "nobody"))
    await house.registered("bob")
    async with house.refuses(Reason.ILLEGAL_STATE):  # which account's would they be?
        await house.platform.UpdateStatistics(counts(1, 1, house.now, "bob"))


async def test_counts_are_a_platforms_to_tell_and_it_can_do_nothing_else(house: House) -> None:
    await house.applied()
    house.now += SECOND
    for other in (house.creator(), house.operator(), house.brand):
        async with house.refuses(Reason.ROLE_NOT_ALLOWED):
            await other.UpdateStatistics(counts(99, 99_999, house.now))
    for call, request in (
        (house.platform.GetCreator, pb.GetCreatorRequest(name="creators/anna")),
        (house.platform.ListCreators, pb.ListCreatorsRequest()),
        (house.platform.ReviewAdmission, approval()),
    ):
        async with house.refuses(Reason.ROLE_NOT_ALLOWED):
            await call(request)


async def test_of_counts_that_come_at_once_the_newest_stand(house: House) -> None:
    await house.admitted()
    house.now += timedelta(hours=1)
    order = (3, 7, 1, 5, 0, 6, 2, 4)
    await asyncio.gather(
        *(
            house.platform.UpdateStatistics(counts(100 + n, 20_000, house.now - (10 - n) * SECOND))
            for n in order
        )
    )
    assert (await house.get()).statistics.post_count == 107


async def test_counts_and_a_review_at_once_lose_nothing(house: House) -> None:
    await house.applied()
    house.now += SECOND
    await asyncio.gather(
        house.platform.UpdateStatistics(counts(77, 77_777, house.now)),
        house.operator().ReviewAdmission(approval()),
    )
    creator = await house.get()
    assert (creator.state, creator.statistics.post_count) == (pb.Creator.STATE_ADMITTED, 77)


async def test_repeated_counts_get_the_first_answer(house: House) -> None:
    await house.applied()
    house.now += SECOND
    request = counts(50, 50_000, house.now)
    first = await house.platform.UpdateStatistics(request)
    house.now += SECOND
    await house.platform.UpdateStatistics(counts(60, 60_000, house.now))
    assert await house.platform.UpdateStatistics(request) == first
    assert (await house.get()).statistics.post_count == 60
