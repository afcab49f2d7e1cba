"""Requests of creators.v1 as validated commands."""

import re
from contextlib import suppress
from enum import StrEnum
from typing import Annotated

import phonenumbers
from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from servicekit.commands import (
    Command,
    Instant,
    Link,
    Visible,
    between,
    bounded_text,
    is_plain,
    proto_enum,
    resource_id,
    unique_items,
    violation,
)
from servicekit.creator_levels import CreatorLevel
from services.creators import live_streams
from services.creators.domain import AccountClass, RefusalCode, State

CreatorId = Annotated[str, resource_id("creators/{creator}")]

# phonenumbers alone accepts a number within other text, and letters as keypad digits.
_NUMBER = re.compile(r"\+[0-9 ().-]+")


def _e164(number: str) -> str:
    """Normalizes a valid mobile number with `+` and country code to E.164 (R35)."""
    parsed = None
    if _NUMBER.fullmatch(number.strip(" ")):
        with suppress(phonenumbers.NumberParseException):
            parsed = phonenumbers.parse(number)
    if parsed is None or not _is_mobile(parsed):
        raise violation("R35", "Must be a valid mobile number such as +12025550123")
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)


def _is_mobile(number: phonenumbers.PhoneNumber) -> bool:
    """In some regions a number does not show whether it is mobile: these are accepted."""
    return phonenumbers.is_valid_number(number) and phonenumbers.number_type(number) in (
        phonenumbers.PhoneNumberType.MOBILE,
        phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE,
    )


def _email(address: str) -> str:
    """Checks only the form of an address; PayPal validates the rest."""
    local, _, domain = address.partition("@")
    is_address = local and "." in domain and "@" not in domain and is_plain(address)
    if not is_address or len(address) > 127:
        raise violation("R30", "Must be a PayPal account's e-mail address, at most 127 characters")
    return address


MobileNumber = Annotated[str, AfterValidator(_e164)]
PaypalReceiver = Annotated[str, AfterValidator(_email)]


class NewCreator(Command):
    id: CreatorId = Field(alias="name")
    display_name: Annotated[str, bounded_text(1, 60), Visible]
    mobile_number: MobileNumber
    dingtalk_id: Annotated[str, bounded_text(0, 100), Visible] = ""


class CreateCreator(Command):
    creator: NewCreator


class GetCreator(Command):
    id: CreatorId = Field(alias="name")


class BatchGetCreators(Command):
    ids: Annotated[list[CreatorId], unique_items(1, 100)] = Field(alias="names")


class ListCreators(Command):
    state: Annotated[State | None, proto_enum("STATE_")] = None
    live_stream_application_state: Annotated[live_streams.State | None, proto_enum("STATE_")] = None


class ListCreatorDecisions(Command):
    id: CreatorId = Field(alias="parent")


class AccountInput(Command):
    account_class: Annotated[AccountClass, proto_enum("ACCOUNT_CLASS_")]
    handle: Annotated[str, bounded_text(1, 100), Visible]
    post_count: Annotated[int, between(0, 2**31 - 1)] = 0
    follower_count: Annotated[int, between(0, 2**31 - 1)] = 0


class ApplyForAdmission(Command):
    id: CreatorId = Field(alias="name")
    account: AccountInput
    paypal_receiver: PaypalReceiver


class AppealAdmission(Command):
    id: CreatorId = Field(alias="name")
    statement: Annotated[str, bounded_text(1, 2000), Visible]


class AdmissionReview(StrEnum):
    APPROVE = "APPROVE"
    REFUSE = "REFUSE"


class RefusalInput(Command):
    code: Annotated[RefusalCode, proto_enum("REFUSAL_CODE_")]
    description: Annotated[str, Field(validate_default=True), bounded_text(0, 1000), Visible] = ""

    @field_validator("description")
    @classmethod
    def _other_has_a_description(cls, description: str, info: ValidationInfo) -> str:
        if info.data.get("code") is RefusalCode.OTHER and not description:
            raise violation("R43", "OTHER needs a description, which the creator reads")
        return description


class ReviewAdmission(Command):
    id: CreatorId = Field(alias="name")
    decision: Annotated[AdmissionReview, proto_enum("DECISION_")]
    refusals: Annotated[list[RefusalInput], unique_items(0, 20)] = Field(
        default_factory=list, validate_default=True
    )
    level: Annotated[CreatorLevel, proto_enum("CREATOR_LEVEL_")] = CreatorLevel.NEWCOMER

    @property
    def is_approval(self) -> bool:
        return self.decision is AdmissionReview.APPROVE

    @field_validator("refusals")
    @classmethod
    def _only_a_refusal_has_reasons(
        cls, refusals: list[RefusalInput], info: ValidationInfo
    ) -> list[RefusalInput]:
        decision = info.data.get("decision")
        if decision is AdmissionReview.REFUSE and not refusals:
            raise violation("R43", "A refusal needs at least one reason")
        if decision is AdmissionReview.APPROVE and refusals:
            raise violation("R43", "An approval must not have refusals")
        return refusals


class UpdateStatistics(Command):
    id: CreatorId = Field(alias="name")
    post_count: Annotated[int, between(0, 2**31 - 1)]
    follower_count: Annotated[int, between(0, 2**31 - 1)]
    observe_time: Instant


class UpdateCreatorLevel(Command):
    id: CreatorId = Field(alias="name")
    level: Annotated[CreatorLevel, proto_enum("CREATOR_LEVEL_")]
    comment: Annotated[str, bounded_text(1, 1000), Visible]


class LiveStreamForm(Command):
    experience: Annotated[str, bounded_text(1, 2000), Visible]
    sample_links: Annotated[list[Link], unique_items(1, 10)]


class ApplyForLiveStreamAccess(Command):
    id: CreatorId = Field(alias="name")
    form: LiveStreamForm


class ReviewLiveStreamAccess(Command):
    id: CreatorId = Field(alias="name")
    decision: Annotated[live_streams.Review, proto_enum("DECISION_")]
    comment: Annotated[str, Field(validate_default=True), bounded_text(0, 1000), Visible] = ""

    @field_validator("comment")
    @classmethod
    def _refusal_is_explained(cls, comment: str, info: ValidationInfo) -> str:
        decision = info.data.get("decision")
        if decision in (live_streams.Review.REFUSE, live_streams.Review.REVOKE) and not comment:
            raise violation("REQUIRED", "REFUSE and REVOKE need a comment, which the creator reads")
        return comment


class UpdatePayoutAccount(Command):
    id: CreatorId = Field(alias="name")
    paypal_receiver: PaypalReceiver
