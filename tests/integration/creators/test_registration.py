"""Registration: the mobile number, the DingTalk id, and what requires registration."""

import pytest
from liaison.creators.v1 import creators_pb2 as pb

from servicekit.errors import Reason
from tests.integration.creators.harness import (
    Harness,
    appeal,
    application,
    approval,
    at_once,
    form,
    registration,
)
from tests.support.serving import request_id


@pytest.mark.rule("R32", "R36")
async def test_the_mobile_number_is_the_default_dingtalk_id(harness: Harness) -> None:
    creator = await harness.registered()
    assert creator.state == pb.Creator.STATE_REGISTERED
    assert creator.dingtalk_id == creator.mobile_number == "+34612345678"
    own = await harness.creator("bob").CreateCreator(registration("bob", dingtalk_id="bob.blogs"))
    assert (own.dingtalk_id, own.mobile_number) == ("bob.blogs", "+34612345678")


@pytest.mark.rule("R35", "R36")
@pytest.mark.parametrize(
    ("number", "normal"),
    [
        ("+34612345678", "+34612345678"),
        ("+34 612 345 678", "+34612345678"),
        ("  +34 (612) 345-678 ", "+34612345678"),
        (
            "+1 202-555-0123",
            "+12025550123",
        ),  # mobile or fixed line: cannot be distinguished
        ("+86 138.0013.8000", "+8613800138000"),
        ("+44 07911 123456", "+447911123456"),  # with the trunk prefix of domestic calls
        ("+7 912 345-67-89", "+79123456789"),
    ],
)
async def test_a_mobile_number_is_kept_in_e164(harness: Harness, number: str, normal: str) -> None:
    creator = await harness.creator().CreateCreator(registration(mobile_number=number))
    assert creator.dingtalk_id == creator.mobile_number == normal
    assert (await harness.get()).mobile_number == normal


@pytest.mark.rule("R35")
@pytest.mark.parametrize(
    "number",
    [
        "34612345678",  # no plus
        "0034612345678",
        "612345678",  # no region code
        "+612345678",  # no region code: read as a short number of Australia
        "+442079460018",  # a fixed line
        "+390612345678",
        "+4980012345678",  # a service line
        "+999612345678",  # no such region
        "+1",
        "+",
        "++34612345678",
        "+34612345678901234",  # too long
        "+" + "3" * 300,
        "+3461234567",  # too short
        "call me",
        "call +34612345678",
        "+34612345678 or +34612345679",
        "+34612345678 ext. 5",
        "+34612345678;phone-context=example.com",
        "tel:+34612345678",
        "+1800FLOWERS",
        "\uff0b34612345678",  # a full-width plus
        "+٣٤٦١٢٣٤٥٦٧٨",
        "+34612345678\n",
        "+34612\x00345678",
        " ",
    ],
)
async def test_an_invalid_mobile_number_is_refused(harness: Harness, number: str) -> None:
    async with harness.refuses(Reason.INVALID_FIELDS, "creator.mobile_number") as caught:
        await harness.creator().CreateCreator(registration(mobile_number=number))
    assert caught.value.violations[0].rule == "R35"


@pytest.mark.rule("R32", "R37")
async def test_everything_else_requires_registration(harness: Harness) -> None:
    for call, request in (
        (harness.creator().ApplyForAdmission, application()),
        (harness.creator().AppealAdmission, appeal()),
        (harness.creator().ApplyForLiveStreamAccess, form()),
        (harness.creator().GetCreator, pb.GetCreatorRequest(name="creators/anna")),
        (
            harness.creator().UpdatePayoutAccount,
            pb.UpdatePayoutAccountRequest(
                name="creators/anna", paypal_receiver="a@example.com", request_id=request_id()
            ),
        ),
    ):
        async with harness.refuses(Reason.NOT_YOURS):
            await call(request)
    async with harness.refuses(Reason.NOT_FOUND):
        await harness.operator().ReviewAdmission(approval())


@pytest.mark.rule("R37")
async def test_a_registered_creator_is_not_admitted(harness: Harness) -> None:
    await harness.registered()
    async with harness.refuses(Reason.ILLEGAL_STATE):
        await harness.operator().ReviewAdmission(approval())
    async with harness.refuses(Reason.CREATOR_NOT_ADMITTED):
        await harness.creator().ApplyForLiveStreamAccess(form())
    async with harness.refuses(Reason.NOT_FOUND):
        await harness.brand.GetCreatorProfile(pb.GetCreatorProfileRequest(name="creators/anna"))


async def test_output_only_fields_are_ignored_at_registration(harness: Harness) -> None:
    creator = await harness.creator().CreateCreator(
        registration(
            state=pb.Creator.STATE_ADMITTED,
            level=pb.CREATOR_LEVEL_STAR,
            live_stream_access=True,
            paypal_receiver="a@example.com",
            statistics=pb.Statistics(post_count=1000, follower_count=1000),
            live_stream_application=pb.LiveStreamApplication(
                state=pb.LiveStreamApplication.STATE_GRANTED
            ),
        )
    )
    assert creator == pb.Creator(
        name="creators/anna",
        state=pb.Creator.STATE_REGISTERED,
        display_name="Anna",
        mobile_number="+34612345678",
        dingtalk_id="+34612345678",
        create_time=creator.create_time,
        update_time=creator.create_time,
    )


async def test_a_creator_registers_itself_and_once(harness: Harness) -> None:
    request = registration()
    first = await harness.creator().CreateCreator(request)
    assert await harness.creator().CreateCreator(request) == first
    async with harness.refuses(Reason.ALREADY_EXISTS):
        await harness.creator().CreateCreator(registration())
    async with harness.refuses(Reason.NOT_YOURS):
        await harness.creator().CreateCreator(registration("bob"))
    request.creator.display_name = "Other"
    async with harness.refuses(Reason.REQUEST_ID_REUSED):
        await harness.creator().CreateCreator(request)


async def test_of_concurrent_registrations_one_succeeds(harness: Harness) -> None:
    answers, errors = await at_once(
        *(harness.creator().CreateCreator(registration()) for _ in range(4))
    )
    assert len(answers) == 1
    assert {error.reason for error in errors} == {Reason.ALREADY_EXISTS}
