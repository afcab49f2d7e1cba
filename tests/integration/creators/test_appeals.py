"""Appeals: against a refusal by staff, once, decided by another operator, and recorded."""

import pytest
from liaison.creators.v1 import creators_pb2 as pb

from servicekit.errors import Reason
from tests.integration.creators.harness import (
    SECOND,
    Harness,
    appeal,
    application,
    approval,
    at_once,
    refusal,
)


@pytest.mark.rule("R43")
async def test_another_operator_decides_and_both_decisions_are_kept(harness: Harness) -> None:
    await harness.refused(by="olga")
    harness.now += SECOND
    creator = await harness.creator().AppealAdmission(appeal(statement="Look again, please"))
    assert creator.state == pb.Creator.STATE_APPEALED
    assert creator.appeal.statement == "Look again, please"
    assert creator.appeal.appeal_time == creator.update_time
    assert (creator.refused_by, len(creator.refusals)) == ("staff/olga", 1)

    harness.now += SECOND
    for review in (approval(), refusal()):
        async with harness.refuses(Reason.REVIEWER_NOT_ALLOWED):
            await harness.operator("olga").ReviewAdmission(review)
    admitted = await harness.operator("otto").ReviewAdmission(approval())
    assert (admitted.state, admitted.refused_by) == (pb.Creator.STATE_ADMITTED, "")
    assert not admitted.refusals
    assert admitted.appeal == creator.appeal
    first, second = await harness.decisions()
    assert (first.kind, first.decided_by) == (pb.CreatorDecision.KIND_REFUSED, "staff/olga")
    assert first.refusals == creator.refusals
    assert not first.HasField("appeal")
    assert (second.kind, second.decided_by) == (pb.CreatorDecision.KIND_ADMITTED, "staff/otto")
    assert second.appeal == creator.appeal
    assert first.decide_time.ToDatetime() < second.decide_time.ToDatetime()


@pytest.mark.rule("R43")
async def test_a_refusal_on_appeal_is_final_but_a_new_application_is_possible(
    harness: Harness,
) -> None:
    await harness.appealed()
    reasons = [pb.Refusal(code=pb.REFUSAL_CODE_PICTURES_POOR)]
    creator = await harness.operator("otto").ReviewAdmission(refusal("anna", *reasons))
    assert (creator.state, creator.refused_by) == (pb.Creator.STATE_REFUSED, "staff/otto")
    assert creator.refusals[0].rule_id == "R7"
    assert creator.appeal.statement == "Look again"
    async with harness.refuses(Reason.APPEAL_NOT_ALLOWED) as caught:
        await harness.creator().AppealAdmission(appeal())
    assert "refused on appeal" in caught.value.message

    again = await harness.creator().ApplyForAdmission(application())
    assert again.state == pb.Creator.STATE_PENDING_REVIEW
    assert not again.HasField("appeal")
    assert len(await harness.decisions()) == 2
    # It is a new application: a new refusal of it can be appealed again.
    await harness.operator("otto").ReviewAdmission(refusal())
    await harness.creator().AppealAdmission(appeal(statement="And again"))
    async with harness.refuses(Reason.REVIEWER_NOT_ALLOWED):
        await harness.operator("otto").ReviewAdmission(approval())
    await harness.operator("olga").ReviewAdmission(approval())
    statements = [one.appeal.statement for one in await harness.decisions()]
    assert statements == ["", "Look again", "", "And again"]


@pytest.mark.rule("R43")
async def test_an_appeal_requires_a_refusal_by_staff(harness: Harness) -> None:
    await harness.registered()

    async def is_refused(why: str) -> None:
        async with harness.refuses(Reason.APPEAL_NOT_ALLOWED) as caught:
            await harness.creator().AppealAdmission(appeal())
        assert why in caught.value.message

    await is_refused("not refused")
    await harness.creator().ApplyForAdmission(application(post_count=20))
    await is_refused("refused by the numeric criteria")
    await harness.creator().ApplyForAdmission(application())
    await is_refused("not refused")
    await harness.operator().ReviewAdmission(refusal())
    await harness.creator().AppealAdmission(appeal())
    await is_refused("pending")
    async with harness.refuses(Reason.ILLEGAL_STATE):
        await harness.creator().ApplyForAdmission(application())
    await harness.operator("otto").ReviewAdmission(approval())
    await is_refused("not refused")


async def test_the_statement_of_an_appeal_is_validated(harness: Harness) -> None:
    await harness.refused()
    for statement, rule in (
        ("", "REQUIRED"),
        (" \n", "BLANK"),
        ("\u200b", "BLANK"),
        ("x" * 2001, "LENGTH"),
        ("a\x00b", "CONTROL_CHARACTERS"),
    ):
        async with harness.refuses(Reason.INVALID_FIELDS, "statement") as caught:
            await harness.creator().AppealAdmission(appeal(statement=statement))
        assert caught.value.violations[0].rule == rule
    longest = "é" * 2000
    creator = await harness.creator().AppealAdmission(appeal(statement=longest))
    assert creator.appeal.statement == longest


async def test_only_the_creator_itself_may_appeal(harness: Harness) -> None:
    await harness.refused()
    async with harness.refuses(Reason.NOT_YOURS):
        await harness.creator("eve").AppealAdmission(appeal())
    async with harness.refuses(Reason.ROLE_NOT_ALLOWED):
        await harness.operator().AppealAdmission(appeal())
    async with harness.refuses(Reason.NOT_YOURS):
        await harness.creator("eve").ListCreatorDecisions(
            pb.ListCreatorDecisionsRequest(parent="creators/anna")
        )


async def test_of_concurrent_appeals_and_reviews_one_each_succeeds(harness: Harness) -> None:
    await harness.refused()
    answers, errors = await at_once(
        *(harness.creator().AppealAdmission(appeal(statement=f"{n}")) for n in range(4))
    )
    assert len(answers) == 1
    assert {error.reason for error in errors} == {Reason.APPEAL_NOT_ALLOWED}
    assert (await harness.get()).appeal == answers[0].appeal

    answers, errors = await at_once(
        harness.operator("olga").ReviewAdmission(approval()),
        *(harness.operator(f"op{n}").ReviewAdmission(refusal()) for n in range(3)),
    )
    assert len(answers) == 1
    assert answers[0].state == pb.Creator.STATE_REFUSED
    assert {error.reason for error in errors} <= {
        Reason.REVIEWER_NOT_ALLOWED,
        Reason.ILLEGAL_STATE,
    }
    assert len(await harness.decisions()) == 2


async def test_of_a_concurrent_appeal_and_application_one_succeeds(harness: Harness) -> None:
    """Whichever comes second is refused."""
    await harness.refused()
    answers, errors = await at_once(
        harness.creator().AppealAdmission(appeal()),
        harness.creator().ApplyForAdmission(application()),
    )
    assert len(answers) == len(errors) == 1
    assert (await harness.get()).state == answers[0].state
