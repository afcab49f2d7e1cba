"""Levels of admitted creators: changed by operators, with a recorded reason."""

from liaison.creators.v1 import creators_pb2 as pb

from servicekit.errors import Reason
from tests.integration.creators.harness import Harness, approval, at_once, level_change


async def test_an_operator_raises_and_lowers_a_level(harness: Harness) -> None:
    await harness.admitted()
    for level in (pb.CREATOR_LEVEL_EXPERT, pb.CREATOR_LEVEL_JUNIOR):
        creator = await harness.operator("otto").UpdateCreatorLevel(level_change(level, "Because"))
        assert (creator.level, creator.state) == (level, pb.Creator.STATE_ADMITTED)
        profile = await harness.brand.GetCreatorProfile(
            pb.GetCreatorProfileRequest(name="creators/anna")
        )
        assert profile.level == level
    changed = (await harness.decisions())[1:]
    assert [(one.kind, one.level, one.comment, one.decided_by) for one in changed] == [
        (pb.CreatorDecision.KIND_LEVEL_CHANGED, level, "Because", "staff/otto")
        for level in (pb.CREATOR_LEVEL_EXPERT, pb.CREATOR_LEVEL_JUNIOR)
    ]


async def test_only_admitted_creators_have_a_level(harness: Harness) -> None:
    await harness.applied()
    async with harness.refuses(Reason.CREATOR_NOT_ADMITTED):
        await harness.operator().UpdateCreatorLevel(level_change())
    async with harness.refuses(Reason.NOT_FOUND):
        await harness.operator().UpdateCreatorLevel(level_change(name="nobody"))
    await harness.operator().ReviewAdmission(approval())
    async with harness.refuses(Reason.ROLE_NOT_ALLOWED):
        await harness.creator().UpdateCreatorLevel(level_change(pb.CREATOR_LEVEL_STAR))


async def test_a_level_change_is_validated_and_needs_a_comment(harness: Harness) -> None:
    await harness.admitted()
    for request, field in (
        (level_change(pb.CREATOR_LEVEL_UNSPECIFIED), "level"),
        (level_change(99), "level"),
        (level_change(comment=""), "comment"),
        (level_change(comment="\n"), "comment"),
        (level_change(comment="x" * 1001), "comment"),
    ):
        async with harness.refuses(Reason.INVALID_FIELDS, field):
            await harness.operator().UpdateCreatorLevel(request)


async def test_concurrent_changes_are_all_recorded_in_order(harness: Harness) -> None:
    await harness.admitted()
    levels = (pb.CREATOR_LEVEL_JUNIOR, pb.CREATOR_LEVEL_EXPERT, pb.CREATOR_LEVEL_STAR)
    _, errors = await at_once(
        *(harness.operator().UpdateCreatorLevel(level_change(level)) for level in levels)
    )
    assert not errors
    decisions = await harness.decisions()
    assert [one.name.rpartition("/")[2] for one in decisions] == ["1", "2", "3", "4"]
    assert {one.level for one in decisions[1:]} == set(levels)
    assert (await harness.get()).level == decisions[-1].level
