"""Onboarding data is internal: no RPC shows it to a brand or another creator (R56)."""

from typing import Any

import pytest
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from liaison.creators.v1 import creators_pb2 as pb

from servicekit.auth import Role
from servicekit.errors import LiaisonError, Reason
from services.creators.servicer import ACCESS
from tests.integration.creators.harness import (
    SECOND,
    Harness,
    access_review,
    appeal,
    application,
    approval,
    counts,
    form,
    refusal,
)
from tests.support.serving import refused, request_id

# Every field of Creator is in one of these; a new field must be added to one.
SHOWN = {"name", "display_name", "level", "live_stream_access"}
HIDDEN = {
    "state",
    "mobile_number",
    "dingtalk_id",
    "account",
    "refusals",
    "paypal_receiver",
    "paypal_receiver_name_time",
    "create_time",
    "update_time",
    "refused_by",
    "appeal",
    "statistics",
    "unmet_criteria",
    "live_stream_application",
}
SECRETS = (
    "34611222333",
    "anna.on.dingtalk",
    "@anna.secret",
    "secret@example.com",
    "4321",
    "765432",
    "33445",
    "998877",
    "Not for us",
    "Please reconsider",
    "Told in confidence",
    "example.com/sample",
    "Fine with us",
    "staff/",
)


async def _complete_creator(harness: Harness) -> pb.Creator:
    """A creator that has had a value in every field, not all at the same time."""
    request = pb.CreateCreatorRequest(
        creator=pb.Creator(
            name="creators/anna",
            display_name="Anna",
            mobile_number="+34611222333",
            dingtalk_id="anna.on.dingtalk",
        ),
        request_id=request_id(),
    )
    await harness.creator().CreateCreator(request)
    applying = application(handle="@anna.secret", post_count=4321, follower_count=765432)
    applying.paypal_receiver = "secret@example.com"
    await harness.creator().ApplyForAdmission(applying)
    reason = pb.Refusal(code=pb.REFUSAL_CODE_OTHER, description="Not for us")
    await harness.operator().ReviewAdmission(refusal("anna", reason))
    await harness.creator().AppealAdmission(appeal(statement="Please reconsider"))
    await harness.operator("otto").ReviewAdmission(approval())
    await harness.creator().ApplyForLiveStreamAccess(
        form(experience="Told in confidence", sample_links=["https://example.com/sample"])
    )
    await harness.operator().ReviewLiveStreamAccess(access_review("GRANT", "Fine with us"))
    harness.now += SECOND
    await harness.platform.UpdateStatistics(counts(33445, 998877, harness.now))
    return await harness.get()


def test_each_field_of_a_creator_is_shown_or_hidden() -> None:
    fields = set(pb.Creator.DESCRIPTOR.fields_by_name)
    assert fields == SHOWN | HIDDEN
    assert not SHOWN & HIDDEN
    assert set(pb.CreatorProfile.DESCRIPTOR.fields_by_name) == SHOWN


def _request_of(method: Any) -> Message:
    """A request that names the creator wherever it can."""
    request = GetMessageClass(method.input_type)()
    for name in ("name", "parent"):
        if name in method.input_type.fields_by_name:
            setattr(request, name, "creators/anna")
    if "request_id" in method.input_type.fields_by_name:
        setattr(request, "request_id", request_id())  # noqa: B010 - Message has no such field
    return request


@pytest.mark.rule("R56")
async def test_no_rpc_shows_onboarding_data_to_a_brand(harness: Harness) -> None:
    creator = await _complete_creator(harness)
    # Values that only a refused creator has are still in the decisions.
    decisions = await harness.operator().ListCreatorDecisions(
        pb.ListCreatorDecisionsRequest(parent="creators/anna")
    )
    known = f"{creator}{decisions}"
    assert all(secret in known for secret in SECRETS)

    profile = await harness.brand.GetCreatorProfile(
        pb.GetCreatorProfileRequest(name="creators/anna")
    )
    assert profile == pb.CreatorProfile(
        name="creators/anna",
        display_name="Anna",
        level=pb.CREATOR_LEVEL_NEWCOMER,
        live_stream_access=True,
    )
    for method in pb.DESCRIPTOR.services_by_name["CreatorService"].methods:
        call = getattr(harness.brand, method.name)
        if Role.BRAND in ACCESS[method.name].roles:
            answer = str(await call(_request_of(method)))
        else:
            with refused(Reason.ROLE_NOT_ALLOWED) as caught:
                await call(_request_of(method))
            answer = f"{caught.value.message} {caught.value.metadata}"
        assert not [secret for secret in SECRETS if secret in answer], method.name


@pytest.mark.rule("R56")
async def test_only_admitted_creators_have_a_profile(harness: Harness) -> None:
    """A brand cannot distinguish applied, refused and unknown creators."""

    async def answer(name: str) -> str:
        async with harness.refuses(Reason.NOT_FOUND) as caught:
            await harness.brand.GetCreatorProfile(
                pb.GetCreatorProfileRequest(name=f"creators/{name}")
            )
        return caught.value.message.replace(name, "…") + str(caught.value.metadata)

    nobody = await answer("nobody")
    await harness.registered("anna")
    await harness.applied("bob")
    await harness.refused("cleo")
    await harness.appealed("dora")
    for name in ("anna", "bob", "cleo", "dora"):
        assert await answer(name) == nobody


@pytest.mark.rule("R56")
async def test_no_rpc_shows_onboarding_data_to_another_creator(harness: Harness) -> None:
    await _complete_creator(harness)
    eve = harness.creator("eve")
    for method in pb.DESCRIPTOR.services_by_name["CreatorService"].methods:
        with pytest.raises(LiaisonError) as caught:
            await getattr(eve, method.name)(_request_of(method))
        assert caught.value.reason in (
            Reason.ROLE_NOT_ALLOWED,
            Reason.NOT_YOURS,
            Reason.INVALID_FIELDS,
        ), method.name
        error = f"{caught.value.message} {caught.value.metadata}"
        assert not [secret for secret in SECRETS if secret in error], method.name
