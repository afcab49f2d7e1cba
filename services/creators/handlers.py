"""What can be done with creators."""

from dataclasses import replace
from typing import Annotated, Protocol

import phonenumbers
from pydantic import AfterValidator, Field, model_validator

from servicekit.auth import Principal
from servicekit.clock import Clock
from servicekit.commands import Command, between, broken, count, proto_enum, resource_id, text
from servicekit.errors import (
    AlreadyExists,
    Reason,
    illegal_state,
    not_found,
    not_yours,
)
from servicekit.pagination import Page
from services.creators.domain import (
    Account,
    AccountClass,
    Creator,
    Level,
    Refusal,
    State,
    with_application,
)

CreatorId = Annotated[str, resource_id("creators/{creator}")]


def _e164(number: str) -> str:
    """A valid mobile number with plus and region code (R35)."""
    try:
        parsed = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        parsed = None
    if parsed is None or not _is_mobile(parsed):
        raise broken("R35", "Must be a valid mobile number such as +12025550123")
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)


def _is_mobile(number: phonenumbers.PhoneNumber) -> bool:
    """Some regions' numbers do not tell mobile from fixed lines."""
    return phonenumbers.is_valid_number(number) and phonenumbers.number_type(number) in (
        phonenumbers.PhoneNumberType.MOBILE,
        phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE,
    )


def _email(address: str) -> str:
    """Only what any mail address has: PayPal judges the rest."""
    local, _, domain = address.rpartition("@")
    if not local or "." not in domain or len(address) > 127 or any(c.isspace() for c in address):
        raise broken("R30", "Must be a PayPal account's e-mail address, at most 127 characters")
    return address


MobileNumber = Annotated[str, AfterValidator(_e164)]
PaypalReceiver = Annotated[str, AfterValidator(_email)]


class NewCreator(Command):
    id: CreatorId = Field(alias="name")
    display_name: Annotated[str, text(1, 60)]
    mobile_number: MobileNumber
    dingtalk_id: Annotated[str, text(0, 100)] = ""


class CreateCreator(Command):
    creator: NewCreator


class GetCreator(Command):
    id: CreatorId = Field(alias="name")


class ListCreators(Command):
    state: Annotated[State | None, proto_enum("STATE_")] = None


class AccountInput(Command):
    account_class: Annotated[AccountClass, proto_enum("ACCOUNT_CLASS_")]
    handle: Annotated[str, text(1, 100)]
    post_count: Annotated[int, between(0, 2**31 - 1)] = 0
    follower_count: Annotated[int, between(0, 2**31 - 1)] = 0


class ApplyForAdmission(Command):
    id: CreatorId = Field(alias="name")
    account: AccountInput
    paypal_receiver: PaypalReceiver


class RefusalInput(Command):
    code: Annotated[str, text(1, 60)]
    rule_id: Annotated[str, text(0, 10)] = ""
    description: Annotated[str, text(0, 1000)] = ""


class ReviewAdmission(Command):
    id: CreatorId = Field(alias="name")
    decision: str
    refusals: Annotated[list[RefusalInput], count(0, 20)] = Field(default_factory=list)
    level: Annotated[Level, proto_enum("CREATOR_LEVEL_")] = Level.NEWCOMER
    live_stream_access: bool = False

    @property
    def is_approval(self) -> bool:
        return self.decision == "DECISION_APPROVE"

    @model_validator(mode="after")
    def _refusal_has_reasons(self) -> "ReviewAdmission":
        if not self.is_approval and not self.refusals:
            raise broken("R43", "A refusal names its reasons in `refusals`")
        return self


class UpdatePayoutAccount(Command):
    id: CreatorId = Field(alias="name")
    paypal_receiver: PaypalReceiver


class CreatorStore(Protocol):
    async def add(self, creator: Creator) -> bool:
        """False when a creator with this id is there already."""

    async def get(self, creator_id: str, *, for_update: bool = False) -> Creator | None: ...

    async def save(self, creator: Creator) -> None: ...

    async def list(self, state: State | None, page: Page) -> list[Creator]: ...


class CreatorHandlers:
    def __init__(self, store: CreatorStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def create_creator(self, who: Principal, command: CreateCreator) -> Creator:
        new = command.creator
        who.require_party(f"creators/{new.id}", creator=new.id)
        now = self._clock()
        creator = Creator(
            id=new.id,
            display_name=new.display_name,
            mobile_number=new.mobile_number,
            dingtalk_id=new.dingtalk_id or new.mobile_number,  # R36
            create_time=now,
            update_time=now,
        )
        if not await self._store.add(creator):
            raise AlreadyExists(
                Reason.ALREADY_EXISTS, f"creators/{new.id} has been registered already"
            )
        return creator

    async def get_creator(self, who: Principal, command: GetCreator) -> Creator:
        return await self._owned(who, command.id)

    async def get_creator_profile(self, command: GetCreator) -> Creator:
        """Only admitted creators have a profile."""
        creator = await self._store.get(command.id)
        if creator is None or creator.state is not State.ADMITTED:
            raise not_found(f"creators/{command.id}")
        return creator

    async def list_creators(self, command: ListCreators, page: Page) -> list[Creator]:
        return await self._store.list(command.state, page)

    async def apply_for_admission(self, who: Principal, command: ApplyForAdmission) -> Creator:
        creator = await self._owned(who, command.id, for_update=True)
        if creator.state not in (State.REGISTERED, State.REFUSED):
            raise illegal_state(f"creators/{creator.id}", creator.state, "ApplyForAdmission")
        account = Account(**command.account.model_dump())
        applied = with_application(creator, account, command.paypal_receiver, self._clock())
        await self._store.save(applied)
        return applied

    async def review_admission(self, who: Principal, command: ReviewAdmission) -> Creator:
        creator = await self._owned(who, command.id, for_update=True)
        if creator.state is not State.PENDING_REVIEW:
            raise illegal_state(f"creators/{creator.id}", creator.state, "ReviewAdmission")
        reviewed = replace(
            creator,
            state=State.ADMITTED if command.is_approval else State.REFUSED,
            refusals=(
                ()
                if command.is_approval
                else tuple(Refusal(**refusal.model_dump()) for refusal in command.refusals)
            ),
            level=command.level if command.is_approval else None,
            has_live_stream_access=command.is_approval and command.live_stream_access,
            update_time=self._clock(),
        )
        await self._store.save(reviewed)
        return reviewed

    async def update_payout_account(self, who: Principal, command: UpdatePayoutAccount) -> Creator:
        creator = await self._owned(who, command.id, for_update=True)
        updated = replace(
            creator, paypal_receiver=command.paypal_receiver, update_time=self._clock()
        )
        await self._store.save(updated)
        return updated

    async def _owned(self, who: Principal, creator_id: str, *, for_update: bool = False) -> Creator:
        """The creator, if it is the caller's own or the caller may see all of them."""
        name = f"creators/{creator_id}"
        who.require_party(name, creator=creator_id)
        creator = await self._store.get(creator_id, for_update=for_update)
        if creator is None:
            raise not_yours(name) if who.creator else not_found(name)
        return creator
