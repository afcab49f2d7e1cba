"""Creators' admission through the real server."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from liaison.creators.v1 import creators_pb2 as pb
from liaison.creators.v1.creators_pb2_grpc import CreatorServiceStub

from devstack.access import Access
from servicekit.database import Database
from servicekit.errors import Reason
from services.creators.handlers import CreatorHandlers
from services.creators.servicer import service
from services.creators.store import PostgresCreatorStore
from tests.support.databases import Databases
from tests.support.serving import Served, refused, request_id, serving


@pytest.fixture
async def served(access: Access, databases: Databases) -> AsyncIterator[Served]:
    async with Database(await databases.fresh("creators")) as database:
        handlers = CreatorHandlers(PostgresCreatorStore(database), lambda: datetime.now(UTC))
        async with serving(access, [service(handlers)], database) as served:
            yield served


def _new(name: str = "creators/anna") -> pb.CreateCreatorRequest:
    return pb.CreateCreatorRequest(
        creator=pb.Creator(name=name, display_name="Anna", mobile_number="+34612345678"),
        request_id=request_id(),
    )


def _application(
    posts: int, followers: int, account_class: pb.AccountClass.ValueType
) -> pb.ApplyForAdmissionRequest:
    return pb.ApplyForAdmissionRequest(
        name="creators/anna",
        account=pb.SocialAccount(
            account_class=account_class,
            handle="@anna",
            post_count=posts,
            follower_count=followers,
        ),
        paypal_receiver="anna@example.com",
        request_id=request_id(),
    )


async def test_the_mobile_number_is_the_default_dingtalk_id_r36(served: Served) -> None:
    creator = await CreatorServiceStub(served.as_creator("anna")).CreateCreator(_new())
    assert creator.state == pb.Creator.STATE_REGISTERED
    assert creator.dingtalk_id == creator.mobile_number == "+34612345678"


@pytest.mark.parametrize(
    ("account_class", "posts", "followers", "rules"),
    [
        (pb.ACCOUNT_CLASS_INTERNAL, 20, 10_000, ["R3", "R4"]),
        (pb.ACCOUNT_CLASS_INTERNAL, 21, 10_000, ["R4"]),
        (pb.ACCOUNT_CLASS_INTERNAL, 21, 10_001, []),
        (pb.ACCOUNT_CLASS_EXTERNAL, 50, 5_000, ["R8", "R9"]),
        (pb.ACCOUNT_CLASS_EXTERNAL, 51, 5_001, []),
    ],
)
async def test_thresholds_are_strict_and_answer_together_r3_r4_r8_r9(
    served: Served,
    account_class: pb.AccountClass.ValueType,
    posts: int,
    followers: int,
    rules: list[str],
) -> None:
    stub = CreatorServiceStub(served.as_creator("anna"))
    await stub.CreateCreator(_new())
    creator = await stub.ApplyForAdmission(_application(posts, followers, account_class))
    assert [refusal.rule_id for refusal in creator.refusals] == rules
    expected = pb.Creator.STATE_REFUSED if rules else pb.Creator.STATE_PENDING_REVIEW
    assert creator.state == expected


async def test_staff_admit_and_brands_see_only_the_profile_r56(served: Served) -> None:
    stub = CreatorServiceStub(served.as_creator("anna"))
    await stub.CreateCreator(_new())
    await stub.ApplyForAdmission(_application(30, 20_000, pb.ACCOUNT_CLASS_INTERNAL))
    brand = CreatorServiceStub(served.as_brand("acme"))
    with refused(Reason.NOT_FOUND):
        await brand.GetCreatorProfile(pb.GetCreatorProfileRequest(name="creators/anna"))
    await CreatorServiceStub(served.as_operator()).ReviewAdmission(
        pb.ReviewAdmissionRequest(
            name="creators/anna",
            decision=pb.ReviewAdmissionRequest.DECISION_APPROVE,
            request_id=request_id(),
        )
    )
    profile = await brand.GetCreatorProfile(pb.GetCreatorProfileRequest(name="creators/anna"))
    assert profile == pb.CreatorProfile(
        name="creators/anna", display_name="Anna", level=pb.CREATOR_LEVEL_NEWCOMER
    )
    with refused(Reason.ROLE_NOT_ALLOWED):
        await brand.GetCreator(pb.GetCreatorRequest(name="creators/anna"))


async def test_bad_input_is_refused_with_every_field(served: Served) -> None:
    stub = CreatorServiceStub(served.as_creator("anna"))
    with refused(
        Reason.INVALID_FIELDS, "creator.display_name", "creator.mobile_number", "request_id"
    ):
        await stub.CreateCreator(pb.CreateCreatorRequest(creator=pb.Creator(name="creators/anna")))
    request = _new()
    for number in ("0612345678", "+442079460018", "+1", "call me"):  # the second is a fixed line
        request.creator.mobile_number = number
        with refused(Reason.INVALID_FIELDS, "creator.mobile_number") as caught:
            await stub.CreateCreator(request)
        assert caught.value.violations[0].rule == "R35"
    with refused(Reason.NOT_YOURS):
        await stub.CreateCreator(_new("creators/bob"))
    with refused(Reason.NOT_YOURS):
        await stub.GetCreator(pb.GetCreatorRequest(name="creators/nobody"))
    with refused(Reason.CREDENTIALS_INVALID):
        await CreatorServiceStub(served.with_token("forged")).GetCreator(
            pb.GetCreatorRequest(name="creators/anna")
        )


async def test_a_repeated_request_gets_the_first_answer(served: Served) -> None:
    stub = CreatorServiceStub(served.as_creator("anna"))
    request = _new()
    first = await stub.CreateCreator(request)
    assert await stub.CreateCreator(request) == first
    request.creator.display_name = "Other"
    with refused(Reason.REQUEST_ID_REUSED):
        await stub.CreateCreator(request)
    with refused(Reason.ALREADY_EXISTS):
        await stub.CreateCreator(_new())
