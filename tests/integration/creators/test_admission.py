"""Admission: numeric criteria, reviews by staff, and the record of decisions."""

import pytest
from liaison.creators.v1 import creators_pb2 as pb

from servicekit.errors import Reason
from tests.integration.creators.harness import (
    EXTERNAL,
    INTERNAL,
    SECOND,
    Harness,
    application,
    approval,
    at_once,
    refusal,
)

ADMITTED, REFUSED = pb.CreatorDecision.KIND_ADMITTED, pb.CreatorDecision.KIND_REFUSED
POSTS, FOLLOWERS = pb.REFUSAL_CODE_POSTS_TOO_FEW, pb.REFUSAL_CODE_FOLLOWERS_TOO_FEW


@pytest.mark.rule("R2", "R3", "R4", "R8", "R9")
@pytest.mark.parametrize(
    ("account_class", "posts", "followers", "expected"),
    [
        (INTERNAL, 20, 10_001, [(POSTS, "R3")]),
        (INTERNAL, 21, 10_000, [(FOLLOWERS, "R4")]),
        (INTERNAL, 20, 10_000, [(POSTS, "R3"), (FOLLOWERS, "R4")]),
        (INTERNAL, 0, 0, [(POSTS, "R3"), (FOLLOWERS, "R4")]),
        (INTERNAL, 21, 10_001, []),
        (INTERNAL, 2**31 - 1, 2**31 - 1, []),
        (EXTERNAL, 50, 5_001, [(POSTS, "R8")]),
        (EXTERNAL, 51, 5_000, [(FOLLOWERS, "R9")]),
        (EXTERNAL, 50, 5_000, [(POSTS, "R8"), (FOLLOWERS, "R9")]),
        (EXTERNAL, 21, 10_001, [(POSTS, "R8")]),  # enough for the other class only
        (EXTERNAL, 51, 5_001, []),
    ],
)
async def test_an_application_is_refused_at_once_for_every_criterion_not_met(
    harness: Harness,
    account_class: int,
    posts: int,
    followers: int,
    expected: list[tuple[int, str]],
) -> None:
    creator = await harness.applied(
        account_class=account_class, post_count=posts, follower_count=followers
    )
    assert [(refusal.code, refusal.rule_id) for refusal in creator.refusals] == expected
    assert all(refusal.description for refusal in creator.refusals)
    assert creator.unmet_criteria == creator.refusals
    decisions = await harness.decisions()
    if not expected:
        assert (creator.state, creator.refused_by) == (pb.Creator.STATE_PENDING_REVIEW, "")
        assert decisions == []
        return
    assert (creator.state, creator.refused_by) == (pb.Creator.STATE_REFUSED, "system")
    assert [(one.kind, one.decided_by) for one in decisions] == [(REFUSED, "system")]
    assert decisions[0].refusals == creator.refusals


@pytest.mark.rule("R2")
async def test_an_account_class_is_required(harness: Harness) -> None:
    await harness.registered()
    for wrong in (pb.ACCOUNT_CLASS_UNSPECIFIED, 99):
        request = application()
        request.account.account_class = wrong  # type: ignore[assignment]  # what is no class
        async with harness.refuses(Reason.INVALID_FIELDS, "account.account_class"):
            await harness.creator().ApplyForAdmission(request)


@pytest.mark.rule("R43")
async def test_meeting_the_numeric_criteria_does_not_admit(harness: Harness) -> None:
    creator = await harness.applied()
    assert creator.state == pb.Creator.STATE_PENDING_REVIEW
    assert not creator.level
    creator = await harness.operator().ReviewAdmission(approval())
    assert creator.state == pb.Creator.STATE_ADMITTED
    assert (creator.level, creator.live_stream_access) == (pb.CREATOR_LEVEL_NEWCOMER, False)
    [decision] = await harness.decisions()
    assert (decision.name, decision.kind) == ("creators/anna/decisions/1", ADMITTED)
    assert (decision.decided_by, decision.level) == ("staff/olga", pb.CREATOR_LEVEL_NEWCOMER)
    assert decision.account == creator.account


async def test_staff_choose_the_level_on_admission(harness: Harness) -> None:
    await harness.applied()
    creator = await harness.operator().ReviewAdmission(approval(level=pb.CREATOR_LEVEL_STAR))
    assert creator.level == pb.CREATOR_LEVEL_STAR


@pytest.mark.rule("R5", "R6", "R7", "R10", "R43")
@pytest.mark.parametrize(
    ("account_class", "rules"),
    [
        (
            INTERNAL,
            {
                pb.REFUSAL_CODE_CONTENT_NOT_INTERESTING: "R5",
                pb.REFUSAL_CODE_PRODUCT_LINKS_MISSING: "R6",
                pb.REFUSAL_CODE_PICTURES_POOR: "R7",
                pb.REFUSAL_CODE_OTHER: "R43",
            },
        ),
        (
            EXTERNAL,
            {pb.REFUSAL_CODE_PROFILE_NOT_APPEALING: "R10", pb.REFUSAL_CODE_OTHER: "R43"},
        ),
    ],
)
async def test_the_creator_sees_the_reasons_of_a_refusal_by_staff(
    harness: Harness, account_class: int, rules: dict[int, str]
) -> None:
    await harness.applied(account_class=account_class)
    given = [pb.Refusal(code=code, rule_id="R99", description="So it is") for code in rules]
    creator = await harness.operator().ReviewAdmission(refusal("anna", *given))
    shown = await harness.get()
    assert shown == creator
    assert (shown.state, shown.refused_by) == (pb.Creator.STATE_REFUSED, "staff/olga")
    assert {one.code: one.rule_id for one in shown.refusals} == rules
    assert {one.description for one in shown.refusals} == {"So it is"}
    assert not shown.unmet_criteria
    [decision] = await harness.decisions()
    assert (decision.kind, decision.decided_by) == (REFUSED, "staff/olga")
    assert decision.decide_time.ToDatetime() == harness.now.replace(tzinfo=None)
    assert decision.refusals == shown.refusals


@pytest.mark.rule("R5", "R10", "R43")
@pytest.mark.parametrize(
    ("account_class", "code", "rule"),
    [
        (INTERNAL, pb.REFUSAL_CODE_POSTS_TOO_FEW, "R3"),
        (INTERNAL, pb.REFUSAL_CODE_FOLLOWERS_TOO_FEW, "R4"),
        (INTERNAL, pb.REFUSAL_CODE_PROFILE_NOT_APPEALING, "R10"),
        (EXTERNAL, pb.REFUSAL_CODE_POSTS_TOO_FEW, "R8"),
        (EXTERNAL, pb.REFUSAL_CODE_FOLLOWERS_TOO_FEW, "R9"),
        (EXTERNAL, pb.REFUSAL_CODE_CONTENT_NOT_INTERESTING, "R5"),
        (EXTERNAL, pb.REFUSAL_CODE_PRODUCT_LINKS_MISSING, "R6"),
        (EXTERNAL, pb.REFUSAL_CODE_PICTURES_POOR, "R7"),
    ],
)
async def test_staff_cannot_use_platform_codes_or_codes_of_the_other_class(
    harness: Harness, account_class: int, code: int, rule: str
) -> None:
    await harness.applied(account_class=account_class)
    request = refusal(
        "anna",
        pb.Refusal(code=pb.REFUSAL_CODE_OTHER, description="First"),
        pb.Refusal(code=code),  # type: ignore[arg-type]  # a parameter of the test
    )
    async with harness.refuses(Reason.INVALID_FIELDS, "refusals[1].code") as caught:
        await harness.operator().ReviewAdmission(request)
    assert caught.value.violations[0].rule == rule


@pytest.mark.rule("R43")
async def test_a_refusal_needs_reasons_and_an_approval_takes_none(harness: Harness) -> None:
    await harness.applied()
    other = pb.Refusal(code=pb.REFUSAL_CODE_OTHER)
    for request, field in (
        (refusal("anna", other), "refusals[0].description"),
        (refusal("anna", pb.Refusal(description="Why?")), "refusals[0].code"),
        (refusal("anna", pb.Refusal(code=99, description="?")), "refusals[0].code"),  # type: ignore[arg-type]  # no code
        (approval(refusals=[pb.Refusal(code=pb.REFUSAL_CODE_PICTURES_POOR)]), "refusals"),
        (approval(level=99), "level"),
    ):
        async with harness.refuses(Reason.INVALID_FIELDS, field):
            await harness.operator().ReviewAdmission(request)
    request = refusal()
    del request.refusals[:]
    async with harness.refuses(Reason.INVALID_FIELDS, "refusals") as caught:
        await harness.operator().ReviewAdmission(request)
    assert caught.value.violations[0].rule == "R43"
    for blank in (" ", "\u200b", "x" * 1001):
        other.description = blank
        async with harness.refuses(Reason.INVALID_FIELDS, "refusals[0].description"):
            await harness.operator().ReviewAdmission(refusal("anna", other))


async def test_a_refused_creator_applies_again_and_decisions_are_kept(harness: Harness) -> None:
    await harness.applied(post_count=1)
    harness.now += SECOND
    await harness.creator().ApplyForAdmission(application(handle="@second"))
    harness.now += SECOND
    await harness.operator().ReviewAdmission(refusal())
    harness.now += SECOND
    creator = await harness.creator().ApplyForAdmission(application(account_class=EXTERNAL))
    assert creator.state == pb.Creator.STATE_PENDING_REVIEW
    assert not creator.refusals
    assert not creator.refused_by
    await harness.operator().ReviewAdmission(approval())
    decisions = await harness.decisions()
    assert [
        (one.name.rpartition("/")[2], one.kind, one.decided_by, one.account.handle)
        for one in decisions
    ] == [
        ("1", REFUSED, "system", "@anna"),
        ("2", REFUSED, "staff/olga", "@second"),
        ("3", ADMITTED, "staff/olga", "@anna"),
    ]
    assert decisions[0].account.post_count == 1
    assert decisions[1].refusals[0].description == "Not quite"


async def test_applications_and_reviews_are_refused_in_other_states(harness: Harness) -> None:
    await harness.applied()
    async with harness.refuses(Reason.ILLEGAL_STATE):
        await harness.creator().ApplyForAdmission(application())
    await harness.operator().ReviewAdmission(approval())
    async with harness.refuses(Reason.ILLEGAL_STATE):
        await harness.creator().ApplyForAdmission(application())
    for review in (approval(), refusal()):
        async with harness.refuses(Reason.ILLEGAL_STATE):
            await harness.operator().ReviewAdmission(review)


async def test_of_concurrent_reviews_one_succeeds(harness: Harness) -> None:
    await harness.applied()
    reviews = [approval(), refusal(), approval(), refusal()]
    answers, errors = await at_once(
        *(harness.operator(f"op{n}").ReviewAdmission(one) for n, one in enumerate(reviews))
    )
    assert len(answers) == 1
    assert {error.reason for error in errors} == {Reason.ILLEGAL_STATE}
    assert await harness.get() == answers[0]
    assert len(await harness.decisions()) == 1


async def test_of_concurrent_applications_one_succeeds(harness: Harness) -> None:
    await harness.registered()
    answers, errors = await at_once(
        *(harness.creator().ApplyForAdmission(application(handle=f"@{n}")) for n in range(4))
    )
    assert len(answers) == 1
    assert {error.reason for error in errors} == {Reason.ILLEGAL_STATE}
    assert (await harness.get()).account == answers[0].account


async def test_a_repeated_review_gets_the_first_response(harness: Harness) -> None:
    await harness.applied()
    request = approval()
    answers, errors = await at_once(
        *(harness.operator().ReviewAdmission(request) for _ in range(4))
    )
    assert not errors
    assert all(answer == answers[0] for answer in answers)
    assert len(await harness.decisions()) == 1
