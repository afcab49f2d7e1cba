"""Appeals: against staff, once, decided by somebody else, and kept."""

import pytest
from liaison.creators.v1 import creators_pb2 as pb

from servicekit.errors import Reason
from tests.integration.creators.house import (
    SECOND,
    House,
    appeal,
    application,
    approval,
    at_once,
    refusal,
)


@pytest.mark.rule("R43")
async def test_another_operator_decides_and_both_decisions_are_kept(house: House) -> None:
    await house.refused(by="olga")
    house.now += SECOND
    creator = await house.creator().AppealAdmission(appeal(statement="Look again, please"))
    assert creator.state == pb.Creator.STATE_APPEALED
    assert creator.appeal.statement == "Look again, please"
    assert creator.appeal.appeal_time == creator.update_time
    assert (creator.refused_by, len(creator.refusals)) == ("staff/olga", 1)

    house.now += SECOND
    for review in (approval(), refusal()):
        async with house.refuses(Reason.REVIEWER_NOT_ALLOWED):
            await house.operator("olga").ReviewAdmission(review)
    admitted = await house.operator("otto").ReviewAdmission(approval())
    assert (admitted.state, admitted.refused_by) == (pb.Creator.STATE_ADMITTED, "")
    assert not admitted.refusals
    assert admitted.appeal == creator.appeal
    first, second = await house.decisions()
    assert (first.kind, first.decided_by) == (pb.CreatorDecision.KIND_REFUSED, "staff/olga")
    assert first.refusals == creator.refusals
    assert not first.HasField("appeal")
    assert (second.kind, second.decided_by) == (pb.CreatorDecision.KIND_ADMITTED, "staff/otto")
    assert second.appeal == creator.appeal
    assert first.decide_time.ToDatetime() < second.decide_time.ToDatetime()


@pytest.mark.rule("R43")
async def test_who_is_refused_on_appeal_appeals_no_more_but_may_apply_anew(house: House) -> None:
    await house.appealed()
    reasons = [pb.Refusal(code=pb.REFUSAL_CODE_PICTURES_POOR)]
    creator = await house.operator("otto").ReviewAdmission(refusal("anna", *reasons))
    assert (creator.state, creator.refused_by) == (pb.Creator.STATE_REFUSED, "staff/otto")
    assert creator.refusals[0].rule_id == "R7"
    assert creator.appeal.statement == "Look again"
    async with house.refuses(Reason.APPEAL_NOT_ALLOWED) as caught:
        await house.creator().AppealAdmission(appeal())
    assert "refused on appeal" in caught.value.message

    again = await house.creator().ApplyForAdmission(application())
    assert again.state == pb.Creator.STATE_PENDING_REVIEW
    assert not again.HasField("appeal")
    assert len(await house.decisions()) == 2
    # It is a new application: a new refusal of it can be appealed again.
    await house.operator("otto").ReviewAdmission(refusal())
    await house.creator().AppealAdmission(appeal(statement="And again"))
    async with house.refuses(Reason.REVIEWER_NOT_ALLOWED):
        await house.operator("otto").ReviewAdmission(approval())
    await house.operator("olga").ReviewAdmission(approval())
    statements = [one.appeal.statement for one in await house.decisions()]
    assert statements == ["", "Look again", "", "And again"]


@pytest.mark.rule("R43")
async def test_there_must_be_a_refusal_by_staff(house: House) -> None:
    await house.registered()

    async def is_told(why: str) -> None:
        async with house.refuses(Reason.APPEAL_NOT_ALLOWED) as caught:
            await house.creator().AppealAdmission(appeal())
        assert why in caught.value.message

    await is_told("not refused")
    await house.creator().ApplyForAdmission(application(post_count=20))
    await is_told("the numbers refused it")
    await house.creator().ApplyForAdmission(application())
    await is_told("not refused")
    await house.operator().ReviewAdmission(refusal())
    await house.creator().AppealAdmission(appeal())
    await is_told("waits")
    async with house.refuses(Reason.ILLEGAL_STATE):
        await house.creator().ApplyForAdmission(application())
    await house.operator("otto").ReviewAdmission(approval())
    await is_told("not refused")


async def test_a_statement_says_something(house: House) -> None:
    await house.refused()
    for statement, rule in (
        ("", "REQUIRED"),
        (" \n", "BLANK"),
        ("\u200b", "BLANK"),
        ("x" * 2001, "LENGTH"),
        ("a\x00b", "CONTROL_CHARACTERS"),
    ):
        async with house.refuses(Reason.INVALID_FIELDS, "statement") as caught:
            await house.creator().AppealAdmission(appeal(statement=statement))
        assert caught.value.violations[0].rule == rule
    longest = "é" * 2000
    creator = await house.creator().AppealAdmission(appeal(statement=longest))
    assert creator.appeal.statement == longest


async def test_one_appeals_for_oneself(house: House) -> None:
    await house.refused()
    async with house.refuses(Reason.NOT_YOURS):
        await house.creator("eve").AppealAdmission(appeal())
    async with house.refuses(Reason.ROLE_NOT_ALLOWED):
        await house.operator().AppealAdmission(appeal())
    async with house.refuses(Reason.NOT_YOURS):
        await house.creator("eve").ListCreatorDecisions(
            pb.ListCreatorDecisionsRequest(parent="creators/anna")
        )


async def test_of_many_appeals_and_reviews_at_once_one_each_counts(house: House) -> None:
    await house.refused()
    answers, errors = await at_once(
        *(house.creator().AppealAdmission(appeal(statement=f"{n}")) for n in range(4))
    )
    assert len(answers) == 1
    assert {error.reason for error in errors} == {Reason.APPEAL_NOT_ALLOWED}
    assert (await house.get()).appeal == answers[0].appeal

    answers, errors = await at_once(
        house.operator("olga").ReviewAdmission(approval()),
        *(house.operator(f"op{n}").ReviewAdmission(refusal()) for n in range(3)),
    )
    assert len(answers) == 1
    assert answers[0].state == pb.Creator.STATE_REFUSED
    assert {error.reason for error in errors} <= {
        Reason.REVIEWER_NOT_ALLOWED,
        Reason.ILLEGAL_STATE,
    }
    assert len(await house.decisions()) == 2


async def test_an_appeal_against_an_application_that_is_made_at_once(house: House) -> None:
    """One of the two comes first, and the other is refused."""
    await house.refused()
    answers, errors = await at_once(
        house.creator().AppealAdmission(appeal()),
        house.creator().ApplyForAdmission(application()),
    )
    assert len(answers) == len(errors) == 1
    assert (await house.get()).state == answers[0].state
