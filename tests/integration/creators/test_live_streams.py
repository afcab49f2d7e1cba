"""Live-stream access: application forms, and granting, refusing and revoking by operators."""

import pytest
from liaison.creators.v1 import creators_pb2 as pb

from servicekit.errors import Reason
from tests.integration.creators.harness import (
    SECOND,
    Harness,
    access_review,
    approval,
    at_once,
    form,
)

PENDING = pb.LiveStreamApplication.STATE_PENDING
GRANTED = pb.LiveStreamApplication.STATE_GRANTED
REFUSED = pb.LiveStreamApplication.STATE_REFUSED
REVOKED = pb.LiveStreamApplication.STATE_REVOKED


@pytest.mark.rule("R55")
async def test_an_operator_grants_access_on_an_application_form(harness: Harness) -> None:
    await harness.admitted()
    links = ["https://example.com/1", "https://example.com/2"]
    harness.now += SECOND
    creator = await harness.creator().ApplyForLiveStreamAccess(
        form(experience="Two years of it", sample_links=links)
    )
    asked = creator.live_stream_application
    assert (asked.state, asked.experience, list(asked.sample_links)) == (
        PENDING,
        "Two years of it",
        links,
    )
    assert asked.apply_time == creator.update_time
    assert not asked.decided_by
    assert not creator.live_stream_access

    harness.now += SECOND
    creator = await harness.operator().ReviewLiveStreamAccess(access_review("GRANT"))
    assert creator.live_stream_access
    application = creator.live_stream_application
    assert (application.state, application.decided_by) == (GRANTED, "staff/olga")
    assert application.apply_time == asked.apply_time
    assert application.decide_time == creator.update_time
    assert await harness.get() == creator
    profile = await harness.brand.GetCreatorProfile(
        pb.GetCreatorProfileRequest(name="creators/anna")
    )
    assert profile.live_stream_access


@pytest.mark.rule("R55")
async def test_without_a_form_no_decision_is_possible(harness: Harness) -> None:
    creator = await harness.admitted()
    assert not creator.live_stream_access
    assert not creator.HasField("live_stream_application")
    for decision in ("GRANT", "REFUSE", "REVOKE"):
        async with harness.refuses(Reason.ILLEGAL_STATE):
            await harness.operator().ReviewLiveStreamAccess(access_review(decision, "So"))


@pytest.mark.rule("R55")
async def test_only_an_admitted_creator_may_apply(harness: Harness) -> None:
    await harness.applied()
    async with harness.refuses(Reason.CREATOR_NOT_ADMITTED):
        await harness.creator().ApplyForLiveStreamAccess(form())
    await harness.operator().ReviewAdmission(approval())
    async with harness.refuses(Reason.NOT_YOURS):
        await harness.creator("eve").ApplyForLiveStreamAccess(form())
    await harness.creator().ApplyForLiveStreamAccess(form())


@pytest.mark.rule("R55")
async def test_one_application_at_a_time_and_another_after_refusal_or_revocation(
    harness: Harness,
) -> None:
    await harness.admitted()
    for experience, decision, state in (
        ("First", "REFUSE", REFUSED),
        ("Second", "GRANT", GRANTED),
        ("", "REVOKE", REVOKED),
        ("Third", "GRANT", GRANTED),
    ):
        harness.now += SECOND
        if experience:
            await harness.creator().ApplyForLiveStreamAccess(form(experience=experience))
            async with harness.refuses(Reason.ILLEGAL_STATE) as caught:
                await harness.creator().ApplyForLiveStreamAccess(form())
            assert caught.value.metadata["state"] == "PENDING"
        comment = f"{decision} it is"
        creator = await harness.operator().ReviewLiveStreamAccess(access_review(decision, comment))
        assert creator.live_stream_application.state == state
        assert creator.live_stream_application.comment == comment
        assert creator.live_stream_access == (state == GRANTED)
        if state == GRANTED:
            async with harness.refuses(Reason.ILLEGAL_STATE):
                await harness.creator().ApplyForLiveStreamAccess(form())
    kind = pb.CreatorDecision
    assert [
        (one.kind, one.live_stream_application.experience, one.comment)
        for one in (await harness.decisions())[1:]
    ] == [
        (kind.KIND_LIVE_STREAM_REFUSED, "First", "REFUSE it is"),
        (kind.KIND_LIVE_STREAM_GRANTED, "Second", "GRANT it is"),
        (kind.KIND_LIVE_STREAM_REVOKED, "Second", "REVOKE it is"),
        (kind.KIND_LIVE_STREAM_GRANTED, "Third", "GRANT it is"),
    ]


async def test_each_decision_requires_one_state(harness: Harness) -> None:
    await harness.admitted()
    possible = {PENDING: {"GRANT", "REFUSE"}, GRANTED: {"REVOKE"}, REFUSED: set(), REVOKED: set()}
    for state, path in (
        (PENDING, ()),
        (GRANTED, ("GRANT",)),
        (REVOKED, ("REVOKE",)),
        (PENDING, ()),
        (REFUSED, ("REFUSE",)),
    ):
        if state == PENDING:
            await harness.creator().ApplyForLiveStreamAccess(form())
        for decision in path:
            await harness.operator().ReviewLiveStreamAccess(access_review(decision, "So"))
        assert (await harness.get()).live_stream_application.state == state
        for decision in {"GRANT", "REFUSE", "REVOKE"} - possible[state]:
            async with harness.refuses(Reason.ILLEGAL_STATE):
                await harness.operator().ReviewLiveStreamAccess(access_review(decision, "So"))


async def test_refusing_and_revoking_need_a_comment(harness: Harness) -> None:
    await harness.admitted()
    await harness.creator().ApplyForLiveStreamAccess(form())
    for decision in ("REFUSE", "REVOKE"):
        for comment in ("", " ", "x" * 1001):
            async with harness.refuses(Reason.INVALID_FIELDS, "comment"):
                await harness.operator().ReviewLiveStreamAccess(access_review(decision, comment))
    async with harness.refuses(Reason.INVALID_FIELDS, "decision"):
        await harness.operator().ReviewLiveStreamAccess(access_review("UNSPECIFIED", "So"))


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"experience": ""}, "form.experience"),
        ({"experience": " \t"}, "form.experience"),
        ({"experience": "x" * 2001}, "form.experience"),
        ({"experience": "a\x00b"}, "form.experience"),
        ({"sample_links": []}, "form.sample_links"),
        ({"sample_links": [f"https://example.com/{n}" for n in range(11)]}, "form.sample_links"),
        ({"sample_links": ["https://example.com/1"] * 2}, "form.sample_links"),
        ({"sample_links": ["http://example.com/1"]}, "form.sample_links[0]"),
        (
            {"sample_links": ["https://example.com/1", "javascript:alert(1)"]},
            "form.sample_links[1]",
        ),
        ({"sample_links": [""]}, "form.sample_links[0]"),
        ({"sample_links": ["https://"]}, "form.sample_links[0]"),
        ({"sample_links": ["https://me:secret@example.com"]}, "form.sample_links[0]"),
        ({"sample_links": ["https://example.com/" + "x" * 2000]}, "form.sample_links[0]"),
    ],
)
async def test_the_application_form_is_validated(
    harness: Harness, changes: dict[str, object], field: str
) -> None:
    await harness.admitted()
    async with harness.refuses(Reason.INVALID_FIELDS, field):
        await harness.creator().ApplyForLiveStreamAccess(form(**changes))


async def test_of_concurrent_forms_and_decisions_one_succeeds(harness: Harness) -> None:
    await harness.admitted()
    answers, errors = await at_once(
        *(harness.creator().ApplyForLiveStreamAccess(form(experience=f"{n}")) for n in range(4))
    )
    assert len(answers) == 1
    assert {error.reason for error in errors} == {Reason.ILLEGAL_STATE}
    answers, errors = await at_once(
        *(
            harness.operator(f"op{n}").ReviewLiveStreamAccess(access_review(decision, "So"))
            for n, decision in enumerate(("GRANT", "REFUSE", "GRANT", "REFUSE"))
        )
    )
    assert len(answers) == 1
    assert {error.reason for error in errors} == {Reason.ILLEGAL_STATE}
    assert await harness.get() == answers[0]
    assert len(await harness.decisions()) == 2
