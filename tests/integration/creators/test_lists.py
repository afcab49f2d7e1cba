"""Lists of creators, as the operators' queues, and of decisions."""

import base64
import json
from typing import Any

import pytest
from liaison.creators.v1 import creators_pb2 as pb

from servicekit.errors import Reason
from tests.integration.creators.harness import (
    SECOND,
    Harness,
    access_review,
    appeal,
    form,
    level_change,
)


async def _names(harness: Harness, **filters: Any) -> list[str]:
    """On pages of two."""
    request = pb.ListCreatorsRequest(page_size=2, **filters)
    names: list[str] = []
    while True:
        page = await harness.operator().ListCreators(request)
        names += [creator.name.removeprefix("creators/") for creator in page.creators]
        if not page.next_page_token:
            return names
        request.page_token = page.next_page_token


async def test_the_queue_of_appeals_is_a_filter(harness: Harness) -> None:
    for name in ("anna", "bob", "cleo", "dora", "emma"):
        await harness.refused(name)
        harness.now += SECOND
    for name in ("dora", "anna", "cleo"):
        await harness.creator(name).AppealAdmission(appeal(name))
    assert await _names(harness) == ["anna", "bob", "cleo", "dora", "emma"]
    assert await _names(harness, state=pb.Creator.STATE_APPEALED) == ["anna", "cleo", "dora"]
    assert await _names(harness, state=pb.Creator.STATE_REFUSED) == ["bob", "emma"]
    assert await _names(harness, state=pb.Creator.STATE_ADMITTED) == []


async def test_the_queue_of_live_stream_applications_is_a_filter(harness: Harness) -> None:
    for name in ("anna", "bob", "cleo"):
        await harness.admitted(name)
        harness.now += SECOND
    for name in ("cleo", "anna"):
        await harness.creator(name).ApplyForLiveStreamAccess(form(name))
    states = pb.LiveStreamApplication
    pending = {"live_stream_application_state": states.STATE_PENDING}
    assert await _names(harness, **pending) == ["anna", "cleo"]
    await harness.operator().ReviewLiveStreamAccess(access_review("GRANT", name="anna"))
    assert await _names(harness, **pending) == ["cleo"]
    granted = {"live_stream_application_state": states.STATE_GRANTED}
    assert await _names(harness, **granted, state=pb.Creator.STATE_ADMITTED) == ["anna"]
    assert await _names(harness, **granted, state=pb.Creator.STATE_REFUSED) == []


async def test_a_page_token_is_valid_for_its_own_query_only(harness: Harness) -> None:
    for name in ("anna", "bob"):
        await harness.appealed(name)
    appealed = pb.ListCreatorsRequest(page_size=1, state=pb.Creator.STATE_APPEALED)
    token = (await harness.operator().ListCreators(appealed)).next_page_token
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
        async with harness.refuses(Reason.INVALID_FIELDS, "page_token"):
            await harness.operator().ListCreators(other)
    for wrong, field in (
        (pb.ListCreatorsRequest(page_size=-1), "page_size"),
        (pb.ListCreatorsRequest(state=99), "state"),  # type: ignore[arg-type]  # what is no state
        (
            pb.ListCreatorsRequest(live_stream_application_state=99),  # type: ignore[arg-type]  # nor this
            "live_stream_application_state",
        ),
    ):
        async with harness.refuses(Reason.INVALID_FIELDS, field):
            await harness.operator().ListCreators(wrong)


async def test_decisions_are_listed_in_order_across_pages(harness: Harness) -> None:
    """More than nine at the same time: their names do not sort as numbers do."""
    await harness.admitted()
    for _ in range(10):
        await harness.operator().UpdateCreatorLevel(level_change())
    request = pb.ListCreatorDecisionsRequest(parent="creators/anna", page_size=3)
    numbers: list[str] = []
    while True:
        page = await harness.creator().ListCreatorDecisions(request)
        assert len(page.decisions) <= 3
        numbers += [one.name.removeprefix("creators/anna/decisions/") for one in page.decisions]
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token
    assert numbers == [str(n) for n in range(1, 12)]


async def test_a_forged_page_token_shows_no_other_creators_decisions(harness: Harness) -> None:
    await harness.admitted("anna")
    await harness.admitted("bob")
    for _ in range(2):
        await harness.operator().UpdateCreatorLevel(level_change())
    request = pb.ListCreatorDecisionsRequest(parent="creators/anna", page_size=1)
    token = (await harness.creator().ListCreatorDecisions(request)).next_page_token
    async with harness.refuses(Reason.INVALID_FIELDS, "page_token"):
        await harness.creator("bob").ListCreatorDecisions(
            pb.ListCreatorDecisionsRequest(parent="creators/bob", page_token=token)
        )
    query, time, _ = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    for id_ in ("", "x", "' OR true --", "\U0010ffff", "0" * 5000):
        text = json.dumps([query, time, id_]).encode()
        request.page_token = base64.urlsafe_b64encode(text).decode().rstrip("=")
        page = await harness.creator().ListCreatorDecisions(request)
        assert all(one.name.startswith("creators/anna/") for one in page.decisions)


@pytest.mark.parametrize("parent", ["", "anna", "creators/-", "creators/anna/decisions/1"])
async def test_decisions_are_of_one_creator(harness: Harness, parent: str) -> None:
    await harness.admitted()
    async with harness.refuses(Reason.INVALID_FIELDS, "parent"):
        await harness.operator().ListCreatorDecisions(pb.ListCreatorDecisionsRequest(parent=parent))
    async with harness.refuses(Reason.NOT_FOUND):
        await harness.operator().ListCreatorDecisions(
            pb.ListCreatorDecisionsRequest(parent="creators/nobody")
        )
