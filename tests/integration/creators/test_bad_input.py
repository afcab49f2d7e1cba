"""Malformed requests: each is refused with a reason and field violations."""

import random
from typing import Any

import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from liaison.creators.v1 import creators_pb2 as pb

from servicekit.auth import Role
from servicekit.errors import LiaisonError, Reason
from services.creators.servicer import ACCESS
from tests.integration.creators.harness import Harness, application, registration
from tests.support.serving import request_id

METHODS = pb.DESCRIPTOR.services_by_name["CreatorService"].methods
SEEN = ("", " ", "x", "@anna", "Look again", "a@example.com", "https://example.com/1", "é" * 3000)
UNSEEN = ("\x00", "\u200b", "\ufeff", "\u202eanna", "{0}", "%s", "'; DROP TABLE creator --", "\\")
INTEGERS = (-(2**31), -1, 0, 1, 21, 99, 10_001, 2**31 - 1)


async def test_all_missing_fields_are_reported_together(harness: Harness) -> None:
    missing = {
        "CreateCreator": ("creator", "request_id"),
        "GetCreator": ("name",),
        "BatchGetCreators": ("names",),
        "GetCreatorProfile": ("name",),
        "ListCreators": (),
        "ApplyForAdmission": ("name", "account", "paypal_receiver", "request_id"),
        "AppealAdmission": ("name", "statement", "request_id"),
        "ReviewAdmission": ("name", "decision", "request_id"),
        "ListCreatorDecisions": ("parent",),
        "UpdateStatistics": (
            "name",
            "post_count",
            "follower_count",
            "observe_time",
            "request_id",
        ),
        "UpdateCreatorLevel": ("name", "level", "comment", "request_id"),
        "ApplyForLiveStreamAccess": ("name", "form", "request_id"),
        "ReviewLiveStreamAccess": ("name", "decision", "request_id"),
        "UpdatePayoutAccount": ("name", "paypal_receiver", "request_id"),
    }
    assert set(missing) == {method.name for method in METHODS}
    for method in METHODS:
        call = getattr(_caller(harness, method.name), method.name)
        request = GetMessageClass(method.input_type)()
        if not missing[method.name]:
            await call(request)
            continue
        async with harness.refuses(Reason.INVALID_FIELDS, *missing[method.name]) as caught:
            await call(request)
        assert {violation.rule for violation in caught.value.violations} == {"REQUIRED"}


@pytest.mark.parametrize(
    ("field", "value", "rule"),
    [
        ("name", "creators/", "AIP-122"),
        ("name", "creators/a b", "AIP-122"),
        ("name", "creators/" + "a" * 64, "AIP-122"),
        ("name", "creators/a/b", "AIP-122"),
        ("name", "brands/anna", "AIP-122"),
        ("display_name", "x" * 61, "LENGTH"),
        ("display_name", " ", "BLANK"),
        ("display_name", "\t\n", "BLANK"),
        ("display_name", "\u00a0\u2003", "BLANK"),
        ("display_name", "\u200b\u200d", "BLANK"),
        ("display_name", "An\x07na", "CONTROL_CHARACTERS"),
        ("dingtalk_id", "x" * 101, "LENGTH"),
        ("dingtalk_id", " ", "BLANK"),
    ],
)
async def test_registration_fields_are_validated(
    harness: Harness, field: str, value: str, rule: str
) -> None:
    request = registration()
    setattr(request.creator, field, value)
    async with harness.refuses(Reason.INVALID_FIELDS, f"creator.{field}") as caught:
        await harness.creator().CreateCreator(request)
    assert caught.value.violations[0].rule == rule


@pytest.mark.parametrize(
    ("field", "value", "rule"),
    [
        ("handle", "", "REQUIRED"),
        ("handle", "   ", "BLANK"),
        ("handle", "\u200b", "BLANK"),
        ("handle", "x" * 101, "LENGTH"),
        ("handle", "@an\x00na", "CONTROL_CHARACTERS"),
        ("post_count", -1, "RANGE"),
        ("follower_count", -(2**31), "RANGE"),
        ("account_class", 99, None),
    ],
)
async def test_application_fields_are_validated(
    harness: Harness, field: str, value: Any, rule: str | None
) -> None:
    await harness.registered()
    request = application()
    setattr(request.account, field, value)
    async with harness.refuses(Reason.INVALID_FIELDS, f"account.{field}") as caught:
        await harness.creator().ApplyForAdmission(request)
    assert rule is None or caught.value.violations[0].rule == rule


@pytest.mark.parametrize(
    "receiver",
    [
        "anna",
        "@example.com",
        "anna@example",
        "an na@example.com",
        "a@b." + "c" * 127,
        "a\0b@example.com",
        "anna@example.com\n",
        "anna@example.com\x7f",
        "änna@example.com",
        "<anna@example.com>",
        '"anna"@example.com',
        "anna@evil.com@example.com",
    ],
)
async def test_a_paypal_receiver_must_be_an_email_address(harness: Harness, receiver: str) -> None:
    await harness.registered()
    request = application()
    request.paypal_receiver = receiver
    async with harness.refuses(Reason.INVALID_FIELDS, "paypal_receiver") as caught:
        await harness.creator().ApplyForAdmission(request)
    assert caught.value.violations[0].rule == "R30"
    async with harness.refuses(Reason.INVALID_FIELDS, "paypal_receiver"):
        await harness.creator().UpdatePayoutAccount(
            pb.UpdatePayoutAccountRequest(
                name="creators/anna", paypal_receiver=receiver, request_id=request_id()
            )
        )


async def test_random_requests_never_cause_an_internal_error(harness: Harness) -> None:
    """Thousands of random fields: each call succeeds or is refused with one of our reasons."""
    dice = random.Random(20260301)  # noqa: S311 - no secret
    await harness.admitted()
    reasons: set[Reason] = set()
    for _ in range(40):
        for method in METHODS:
            request = GetMessageClass(method.input_type)()
            _scramble(request, dice)
            try:
                await getattr(_caller(harness, method.name), method.name)(request)
            except LiaisonError as error:
                reasons.add(error.reason)
    assert Reason.INVALID_FIELDS in reasons
    assert not reasons & {Reason.INTERNAL, Reason.OUTCOME_UNKNOWN, Reason.DEPENDENCY_UNAVAILABLE}
    assert (await harness.get()).state == pb.Creator.STATE_ADMITTED


def _caller(harness: Harness, method: str) -> Any:
    roles = ACCESS[method].roles
    if Role.CREATOR in roles:
        return harness.creator()
    if Role.OPERATOR in roles:
        return harness.operator()
    if Role.PLATFORM in roles:
        return harness.platform
    return harness.brand if Role.BRAND in roles else harness.service


def _scramble(message: Message, dice: random.Random) -> None:
    for field in message.DESCRIPTOR.fields:
        if dice.random() < 0.15:
            continue
        if field.message_type is not None:
            for part in _parts(message, field, dice):
                _scramble(part, dice)
        elif field.is_repeated:
            values = [_value(field, dice) for _ in range(dice.randrange(3))]
            getattr(message, field.name).extend(values)
        else:
            setattr(message, field.name, _value(field, dice))


def _parts(message: Message, field: FieldDescriptor, dice: random.Random) -> list[Any]:
    held = getattr(message, field.name)
    if field.is_repeated:
        return [held.add() for _ in range(dice.randrange(3))]
    held.SetInParent()
    return [held]


def _value(field: FieldDescriptor, dice: random.Random) -> Any:
    if field.name in ("name", "parent") and dice.random() < 0.8:
        return "creators/anna"
    if field.name == "request_id" and dice.random() < 0.9:
        return request_id()
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return dice.random() < 0.5
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        return dice.choice(SEEN + UNSEEN)
    if field.cpp_type == FieldDescriptor.CPPTYPE_ENUM:
        return dice.choice((0, 1, 2, 3, 7, 99))
    return dice.choice(INTEGERS)
