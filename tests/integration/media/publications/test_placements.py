"""Prime places in the app (R16) and on the platform's Instagram account (R15)."""

import asyncio
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from liaison.media.v1 import media_pb2
from liaison.media.v1 import publications_pb2 as pb

from servicekit.errors import FailedPrecondition, Reason
from servicekit.timestamps import from_timestamp, to_timestamp
from tests.integration.media.publications.harness import DAY, Harness
from tests.support.serving import refused, request_id

HOUR = timedelta(hours=1)


def placement(
    publication: pb.Publication,
    start: datetime,
    end: datetime | None = None,
    slot: str = "home-top",
) -> pb.CreatePlacementRequest:
    return pb.CreatePlacementRequest(
        placement=pb.Placement(
            slot=slot,
            publication=publication.name,
            start_time=to_timestamp(start),
            end_time=to_timestamp(end or start + DAY),
        ),
        request_id=request_id(),
    )


def cancellation(placed: pb.Placement) -> pb.CancelPlacementRequest:
    return pb.CancelPlacementRequest(name=placed.name, request_id=request_id())


async def active(publications: Harness, time: datetime, slot: str = "home-top") -> list[str]:
    """What the app shows there then."""
    answer = await publications.platform.ListPlacements(
        pb.ListPlacementsRequest(slot=slot, active_time=to_timestamp(time))
    )
    return [one.publication for one in answer.placements]


@pytest.mark.rule("R15", "R16")
@pytest.mark.parametrize("slot", ["home-top", "instagram"])
async def test_an_article_is_shown_in_a_place_for_its_time(
    publications: Harness, slot: str
) -> None:
    published, start = await publications.published(), publications.now() + HOUR
    request = placement(published, start, slot=slot)
    placed = await publications.operator.CreatePlacement(request)
    assert (placed.slot, placed.granted_by) == (slot, "staff/olga")
    assert await publications.operator.CreatePlacement(request) == placed
    end = start + DAY
    tick = timedelta(microseconds=1)
    shown = [published.name]
    assert [
        await active(publications, time, slot) for time in (start - tick, start, end - tick, end)
    ] == [
        [],
        shown,
        shown,
        [],
    ]
    assert await active(publications, start, "inspiration-top") == []


@pytest.mark.rule("R16")
async def test_a_slot_is_one_articles_at_a_time(publications: Harness) -> None:
    first, second = await publications.published(), await publications.published("bea")
    start = publications.now() + HOUR
    placed = await publications.operator.CreatePlacement(placement(first, start))
    for other_start, other_end in [
        (start, start + DAY),
        (start + HOUR, start + 2 * HOUR),
        (start - HOUR / 2, start + HOUR),
        (start - HOUR / 2, start + 2 * DAY),
        (start + DAY - timedelta(microseconds=1), start + 2 * DAY),
    ]:
        for publication in (first, second):
            with refused(Reason.SLOT_TAKEN) as caught:
                await publications.operator.CreatePlacement(
                    placement(publication, other_start, other_end)
                )
            assert caught.value.metadata["placement"] == placed.name
    # Next to it, or elsewhere, is free.
    await publications.operator.CreatePlacement(placement(second, start + DAY))
    await publications.operator.CreatePlacement(placement(second, start - HOUR / 2, start))
    await publications.operator.CreatePlacement(placement(second, start, slot="instagram"))


async def test_of_many_at_once_one_gets_the_slot(publications: Harness) -> None:
    published, start = await publications.published(), publications.now() + HOUR

    async def place(number: int) -> str:
        """Each overlaps its neighbours; every other one begins where another ends."""
        begin = start + number * HOUR / 2
        placed = await publications.operator.CreatePlacement(
            placement(published, begin, begin + HOUR)
        )
        return str(placed.name)

    ends = await asyncio.gather(*(place(n % 12) for n in range(60)), return_exceptions=True)
    won = sorted(end for end in ends if isinstance(end, str))
    for end in ends:
        if isinstance(end, BaseException):
            assert isinstance(end, FailedPrecondition)
            assert (end.reason, end.metadata["placement"] in won) == (Reason.SLOT_TAKEN, True)
    answer = await publications.platform.ListPlacements(pb.ListPlacementsRequest())
    assert sorted(one.name for one in answer.placements) == won
    assert 4 <= len(won) <= 7
    times = [
        (from_timestamp(one.start_time), from_timestamp(one.end_time)) for one in answer.placements
    ]
    for (_, end), (begin, _) in pairwise(times):
        assert end <= begin


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"slot": "moon"}, ["placement.slot"]),
        ({"start": -DAY}, ["placement.start_time"]),
        ({"length": timedelta()}, ["placement.end_time"]),
        ({"length": 91 * DAY}, ["placement.end_time"]),
        (
            {"slot": "moon", "start": -2 * DAY, "length": -DAY},
            ["placement.slot", "placement.start_time", "placement.end_time"],
        ),
    ],
)
async def test_everything_wrong_with_a_placement_is_told_at_once(
    publications: Harness, changes: dict[str, Any], fields: list[str]
) -> None:
    published = await publications.published()
    start = publications.now() + changes.get("start", HOUR)
    end = start + changes.get("length", DAY)
    with refused(Reason.INVALID_FIELDS, *fields):
        await publications.operator.CreatePlacement(
            placement(published, start, end, changes.get("slot", "home-top"))
        )


async def test_only_what_readers_see_on_the_feed_is_placed(publications: Harness) -> None:
    pending, start = await publications.posted(), publications.now() + HOUR
    with refused(Reason.ILLEGAL_STATE):
        await publications.operator.CreatePlacement(placement(pending, start))
    published = await publications.delivered(pending)
    answer = await publications.creator().RepostArticle(
        pb.RepostArticleRequest(
            name=published.name,
            networks=[pb.CHANNEL_X],
            client=media_pb2.CLIENT_DESKTOP,
            request_id=request_id(),
        )
    )
    with refused(Reason.INVALID_FIELDS, "placement.publication"):
        await publications.operator.CreatePlacement(placement(answer.publications[0], start))
    with refused(Reason.NOT_FOUND):
        await publications.operator.CreatePlacement(
            placement(pb.Publication(name="publications/none"), start)
        )
    for stub in (publications.creator(), publications.brand(), publications.platform):
        with refused(Reason.ROLE_NOT_ALLOWED):
            await stub.CreatePlacement(placement(published, start))


async def test_a_placement_is_taken_back_from_now_on_or_altogether(publications: Harness) -> None:
    published, start = await publications.published(), publications.now() + HOUR
    placed = await publications.operator.CreatePlacement(placement(published, start))
    early = await publications.operator.CancelPlacement(cancellation(placed))
    assert early.end_time == placed.end_time
    assert await active(publications, start + HOUR) == []
    # The slot is free again.
    again = await publications.operator.CreatePlacement(placement(published, start))
    publications.media.passed += 2 * HOUR
    assert await active(publications, publications.now()) == [published.name]
    request = cancellation(again)
    ended = await publications.operator.CancelPlacement(request)
    assert ended.end_time == ended.cancel_time
    assert await active(publications, publications.now()) == []
    assert await active(publications, start) == [published.name]  # it was shown then
    publications.media.passed += HOUR
    assert await publications.operator.CancelPlacement(request) == ended
    assert await publications.operator.CancelPlacement(cancellation(again)) == ended
    await publications.operator.CreatePlacement(placement(published, publications.now()))
    with refused(Reason.NOT_FOUND):
        await publications.operator.CancelPlacement(
            cancellation(pb.Placement(name="placements/none"))
        )


async def test_a_withdrawn_article_leaves_its_places(publications: Harness) -> None:
    published, start = await publications.published(), publications.now() + HOUR
    await publications.operator.CreatePlacement(placement(published, start))
    await publications.operator.CreatePlacement(placement(published, start + 10 * DAY))
    publications.media.passed += 2 * HOUR
    await publications.withdraw(published)
    assert await active(publications, publications.now()) == []
    assert await active(publications, start + 10 * DAY + HOUR) == []
    with refused(Reason.ILLEGAL_STATE):
        await publications.operator.CreatePlacement(placement(published, publications.now() + HOUR))
    other = await publications.published("bea")
    await publications.operator.CreatePlacement(placement(other, publications.now() + HOUR))


async def test_placements_and_withdrawals_at_once_leave_nothing_shown(
    publications: Harness,
) -> None:
    published, start = await publications.published(), publications.now() + HOUR

    def place(number: int) -> Any:
        return publications.operator.CreatePlacement(placement(published, start + number * DAY))

    ends = await asyncio.gather(
        *map(place, range(5)),
        publications.withdraw(published),
        *map(place, range(5, 9)),
        return_exceptions=True,
    )
    refusals = [end for end in ends if isinstance(end, BaseException)]
    assert {getattr(end, "reason", end) for end in refusals} <= {Reason.ILLEGAL_STATE}
    answer = await publications.platform.ListPlacements(pb.ListPlacementsRequest())
    assert all(one.HasField("cancel_time") for one in answer.placements)


async def test_placements_are_listed_earliest_first_to_those_who_show_them(
    publications: Harness,
) -> None:
    published, start = await publications.published(), publications.now() + HOUR
    made = [
        await publications.operator.CreatePlacement(
            placement(published, start + days * DAY, slot=slot)
        )
        for days, slot in ((2, "home-top"), (0, "home-top"), (1, "instagram"))
    ]
    names = [made[1].name, made[2].name, made[0].name]
    for stub in (publications.operator, publications.platform):
        answer = await stub.ListPlacements(pb.ListPlacementsRequest(page_size=2))
        rest = await stub.ListPlacements(
            pb.ListPlacementsRequest(page_size=2, page_token=answer.next_page_token)
        )
        assert [one.name for one in [*answer.placements, *rest.placements]] == names
    only = await publications.operator.ListPlacements(pb.ListPlacementsRequest(slot="instagram"))
    assert list(only.placements) == [made[2]]
    with refused(Reason.ROLE_NOT_ALLOWED):
        await publications.creator().ListPlacements(pb.ListPlacementsRequest())


@pytest.mark.parametrize("slot", ["x" * 64, "home\x00top", "home\x1b[2Jtop"])
async def test_a_slot_is_a_word_wherever_it_is_named(publications: Harness, slot: str) -> None:
    with refused(Reason.INVALID_FIELDS, "slot"):
        await publications.platform.ListPlacements(pb.ListPlacementsRequest(slot=slot))
    published = await publications.published()
    with refused(Reason.INVALID_FIELDS, "placement.slot"):
        await publications.operator.CreatePlacement(
            placement(published, publications.now() + HOUR, slot=slot)
        )
