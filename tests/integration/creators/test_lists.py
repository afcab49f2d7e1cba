"""Lists: the operators' queues, and what was decided about a creator."""

import base64
import json
from typing import Any

import pytest
from liaison.creators.v1 import creators_pb2 as pb

from servicekit.errors import Reason
from tests.integration.creators.house import (
    SECOND,
    House,
    access_review,
    appeal,
    form,
    level_change,
)


async def _names(house: House, **filters: Any) -> list[str]:
    """On pages of two."""
    request = pb.ListCreatorsRequest(page_size=2, **filters)
    names: list[str] = []
    while True:
        page = await house.operator().ListCreators(request)
        names += [creator.name.removeprefix("creators/") for creator in page.creators]
        if not page.next_page_token:
            return names
        request.page_token = page.next_page_token


async def test_the_queue_of_appeals_is_a_filter(house: House) -> None:
    for name in ("anna", "bob", "cleo", "dora", "emma"):
        await house.refused(name)
        house.now += SECOND
    for name in ("dora", "anna", "cleo"):
        await house.creator(name).AppealAdmission(appeal(name))
    assert await _names(house) == ["anna", "bob", "cleo", "dora", "emma"]
    assert await _names(house, state=pb.Creator.STATE_APPEALED) == ["anna", "cleo", "dora"]
    assert await _names(house, state=pb.Creator.STATE_REFUSED) == ["bob", "emma"]
    assert await _names(house, state=pb.Creator.STATE_ADMITTED) == []


async def test_the_queue_of_live_streams_is_a_filter(house: House) -> None:
    for name in ("anna", "bob", "cleo"):
        await house.admitted(name)
        house.now += SECOND
    for name in ("cleo", "anna"):
        await house.creator(name).ApplyForLiveStreamAccess(form(name))
    states = pb.LiveStreamApplication
    pending = {"live_stream_application_state": states.STATE_PENDING}
    assert await _names(house, **pending) == ["anna", "cleo"]
    await house.operator().ReviewLiveStreamAccess(access_review("GRANT", name="anna"))
    assert await _names(house, **pending) == ["cleo"]
    granted = {"live_stream_application_state": states.STATE_GRANTED}
    assert await _names(house, **granted, state=pb.Creator.STATE_ADMITTED) == ["anna"]
    assert await _names(house, **granted, state=pb.Creator.STATE_REFUSED) == []


async def test_a_token_is_good_for_its_very_list_only(house: House) -> None:
    for name in ("anna", "bob"):
        await house.appealed(name)
    appealed = pb.ListCreatorsRequest(page_size=1, state=pb.Creator.STATE_APPEALED)
    token = (await house.operator().ListCreators(appealed)).next_page_token
    for other in (
        pb.ListCreatorsRequest(page_token=token),
        pb.ListCreatorsRequest(page_token=token, state=pb.Creator.STATE_REFUSED),
        pb.ListCreatorsRequest(
            page_token=token,
            state=pb.Creator.STATE_APPEALED,
            live_stream_application_state=pb.LiveStreamApplication.STATE_PENDING,
        ),
        pb.ListCreatorsRequest(page_token="nonsense"),  # noqa: S106 - no secret
    ):
        async with house.refuses(Reason.INVALID_FIELDS, "page_token"):
            await house.operator().ListCreators(other)
    for wrong, field in (
        (pb.ListCreatorsRequest(page_size=-1), "page_size"),
        (pb.ListCreatorsRequest(state=99), "state"),  # type: ignore[arg-type]  # what is no state
        (
            pb.ListCreatorsRequest(live_stream_application_state=99),  # type: ignore[arg-type]  # nor this
            "live_stream_application_state",
        ),
    ):
        async with house.refuses(Reason.INVALID_FIELDS, field):
            await house.operator().ListCreators(wrong)


async def test_decisions_come_in_their_order_on_any_page(house: House) -> None:
    """More than nine within one instant: their names do not sort as numbers do."""
    await house.admitted()
    for _ in range(10):
        await house.operator().UpdateCreatorLevel(level_change())
    request = pb.ListCreatorDecisionsRequest(parent="creators/anna", page_size=3)
    numbers: list[str] = []
    while True:
        page = await house.creator().ListCreatorDecisions(request)
        assert len(page.decisions) <= 3
        numbers += [one.name.removeprefix("creators/anna/decisions/") for one in page.decisions]
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token
    assert numbers == [str(n) for n in range(1, 12)]


async def test_a_forged_token_shows_nobody_elses_decisions(house: House) -> None:
    await house.admitted("anna")
    await house.admitted("bob")
    for _ in range(2):
        await house.operator().UpdateCreatorLevel(level_change())
    request = pb.ListCreatorDecisionsRequest(parent="creators/anna", page_size=1)
    token = (await house.creator().ListCreatorDecisions(request)).next_page_token
    async with house.refuses(Reason.INVALID_FIELDS, "page_token"):
        await house.creator("bob").ListCreatorDecisions(
            pb.ListCreatorDecisionsRequest(parent="creators/bob", page_token=token)
        )
    query, time, _ = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    for id_ in ("", "x", "' OR true --", "\U0010ffff", "0" * 5000):
        text = json.dumps([query, time, id_]).encode()
        request.page_token = base64.urlsafe_b64encode(text).decode().rstrip("=")
        page = await house.creator().ListCreatorDecisions(request)
        assert all(one.name.startswith("creators/anna/") for one in page.decisions)


@pytest.mark.parametrize("parent", ["", "anna", "creators/-", "creators/anna/decisions/1"])
async def test_decisions_are_of_one_creator(house: House, parent: str) -> None:
    await house.admitted()
    async with house.refuses(Reason.INVALID_FIELDS, "parent"):
        await house.operator().ListCreatorDecisions(pb.ListCreatorDecisionsRequest(parent=parent))
    async with house.refuses(Reason.NOT_FOUND):
        await house.operator().ListCreatorDecisions(
            pb.ListCreatorDecisionsRequest(parent="creators/nobody")
        )
