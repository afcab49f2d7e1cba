"""Use cases of the creators service."""

from dataclasses import replace
from datetime import timedelta
from typing import Protocol

from servicekit.auth import Principal
from servicekit.clock import Clock
from servicekit.errors import (
    AlreadyExists,
    FailedPrecondition,
    Reason,
    Violation,
    illegal_state,
    invalid_fields,
    not_found,
    require_found,
)
from servicekit.pagination import Page
from services.creators import admission, commands, domain, live_streams
from services.creators.domain import (
    Account,
    Creator,
    Decision,
    DecisionKind,
    Refusal,
    Source,
    State,
    Statistics,
)

# How far ahead of our clock a platform's `observe_time` may be: clocks differ.
_CLOCK_TOLERANCE = timedelta(minutes=5)

_LIVE_STREAM_DECISIONS = {
    live_streams.Review.GRANT: DecisionKind.LIVE_STREAM_GRANTED,
    live_streams.Review.REFUSE: DecisionKind.LIVE_STREAM_REFUSED,
    live_streams.Review.REVOKE: DecisionKind.LIVE_STREAM_REVOKED,
}


class CreatorStore(Protocol):
    async def add(self, creator: Creator) -> bool:
        """Returns False if a creator with this id exists."""

    async def get(self, creator_id: str, *, for_update: bool = False) -> Creator | None: ...

    async def list_by_id(self, creator_ids: list[str]) -> list[Creator]:
        """In the given order; unknown ids are left out."""

    async def save(self, creator: Creator) -> None: ...

    async def get_observation(self, creator_id: str, account: Account) -> Statistics | None:
        """The latest statistics that a platform observed of this account."""

    async def save_observation(
        self, creator_id: str, account: Account, statistics: Statistics
    ) -> None:
        """Replaces the account's latest observation. The creator must be locked by `get`."""

    async def list_creators(
        self, state: State | None, live_stream_state: live_streams.State | None, page: Page
    ) -> list[Creator]: ...

    async def add_decision(self, creator_id: str, decision: Decision) -> None:
        """Appends a decision. The creator must be locked by `get`."""

    async def list_decisions(self, creator_id: str, page: Page) -> list[Decision]: ...


class CreatorHandlers:
    def __init__(self, store: CreatorStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def create_creator(self, who: Principal, command: commands.CreateCreator) -> Creator:
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

    async def get_creator(self, who: Principal, command: commands.GetCreator) -> Creator:
        return await self._owned(who, command.id)

    async def batch_get_creators(self, command: commands.BatchGetCreators) -> list[Creator]:
        return await self._store.list_by_id(command.ids)

    async def get_creator_profile(self, command: commands.GetCreator) -> Creator:
        """Only admitted creators have a profile; NOT_FOUND hides all others (R56)."""
        creator = await self._store.get(command.id)
        if creator is None or creator.state is not State.ADMITTED:
            raise not_found(f"creators/{command.id}")
        return creator

    async def list_creators(self, command: commands.ListCreators, page: Page) -> list[Creator]:
        return await self._store.list_creators(
            command.state, command.live_stream_application_state, page
        )

    async def list_creator_decisions(
        self, who: Principal, command: commands.ListCreatorDecisions, page: Page
    ) -> list[Decision]:
        creator = await self._owned(who, command.id)
        return await self._store.list_decisions(creator.id, page)

    async def apply_for_admission(
        self, who: Principal, command: commands.ApplyForAdmission
    ) -> Creator:
        creator = await self._owned(who, command.id, for_update=True)
        account = Account(**command.account.model_dump())
        observed = await self._store.get_observation(creator.id, account)
        return await self._save(
            *admission.apply(creator, account, observed, command.paypal_receiver, self._clock())
        )

    async def appeal_admission(self, who: Principal, command: commands.AppealAdmission) -> Creator:
        creator = await self._owned(who, command.id, for_update=True)
        return await self._save(admission.appeal(creator, command.statement, self._clock()))

    async def review_admission(self, who: Principal, command: commands.ReviewAdmission) -> Creator:
        creator = await self._owned(who, command.id, for_update=True)
        admission.check_reviewer(creator, who.actor)
        now = self._clock()
        if command.is_approval:
            reviewed, decision = admission.admit(creator, command.level, who.actor, now)
        else:
            refusals = _refusals(creator, command)
            reviewed, decision = admission.refuse(creator, refusals, who.actor, now)
        return await self._save(reviewed, decision)

    async def update_statistics(self, command: commands.UpdateStatistics) -> Statistics:
        now = self._clock()
        if command.observe_time > now + _CLOCK_TOLERANCE:
            raise invalid_fields(
                Violation("observe_time", "RANGE", "Must not be more than 5 minutes ahead")
            )
        name = f"creators/{command.id}"
        creator = require_found(name, await self._store.get(command.id, for_update=True))
        known = creator.statistics
        if creator.account is None or known is None:
            raise illegal_state(name, creator.state, "UpdateStatistics")
        if known.source is Source.OBSERVED and command.observe_time <= known.observe_time:
            return known
        newest = Statistics(**command.model_dump(exclude={"id"}), source=Source.OBSERVED)
        await self._store.save(replace(creator, statistics=newest, update_time=now))
        await self._store.save_observation(creator.id, creator.account, newest)
        return newest

    async def update_creator_level(
        self, who: Principal, command: commands.UpdateCreatorLevel
    ) -> Creator:
        creator = await self._owned(who, command.id, for_update=True)
        _require_admitted(creator)
        now = self._clock()
        decision = Decision(
            DecisionKind.LEVEL_CHANGED,
            who.actor,
            now,
            comment=command.comment,
            level=command.level,
        )
        return await self._save(replace(creator, level=command.level, update_time=now), decision)

    async def apply_for_live_stream_access(
        self, who: Principal, command: commands.ApplyForLiveStreamAccess
    ) -> Creator:
        creator = await self._owned(who, command.id, for_update=True)
        _require_admitted(creator)
        live_streams.check_may_apply(creator.name, creator.live_stream_application)
        now = self._clock()
        application = live_streams.Application(
            command.form.experience, tuple(command.form.sample_links), now
        )
        return await self._save(
            replace(creator, live_stream_application=application, update_time=now)
        )

    async def review_live_stream_access(
        self, who: Principal, command: commands.ReviewLiveStreamAccess
    ) -> Creator:
        creator = await self._owned(who, command.id, for_update=True)
        now = self._clock()
        application = live_streams.review(
            creator.name,
            creator.live_stream_application,
            command.decision,
            comment=command.comment,
            reviewer=who.actor,
            now=now,
        )
        decision = Decision(
            _LIVE_STREAM_DECISIONS[command.decision],
            who.actor,
            now,
            comment=command.comment,
            live_stream_application=application,
        )
        return await self._save(
            replace(creator, live_stream_application=application, update_time=now), decision
        )

    async def update_payout_account(
        self, who: Principal, command: commands.UpdatePayoutAccount
    ) -> Creator:
        creator = await self._owned(who, command.id, for_update=True)
        now = self._clock()
        return await self._save(
            replace(
                creator,
                paypal_receiver=command.paypal_receiver,
                paypal_receiver_name_time=now,
                update_time=now,
            )
        )

    async def _owned(self, who: Principal, creator_id: str, *, for_update: bool = False) -> Creator:
        """The creator, if it is the caller's own or the caller's role may read all creators."""
        name = f"creators/{creator_id}"
        who.require_party(name, creator=creator_id)
        return who.require_found(name, await self._store.get(creator_id, for_update=for_update))

    async def _save(self, creator: Creator, decision: Decision | None = None) -> Creator:
        await self._store.save(creator)
        if decision is not None:
            await self._store.add_decision(creator.id, decision)
        return creator


def _require_admitted(creator: Creator) -> None:
    if creator.state is not State.ADMITTED:
        raise FailedPrecondition(
            Reason.CREATOR_NOT_ADMITTED,
            f"{creator.name} is not admitted",
            metadata={"state": creator.state},
        )


def _refusals(creator: Creator, command: commands.ReviewAdmission) -> tuple[Refusal, ...]:
    """
    Raises:
        InvalidArgument: staff may not use a code, or not for this class of account.
    """
    if creator.account is None:
        raise illegal_state(creator.name, creator.state, "ReviewAdmission")
    account_class = creator.account.account_class
    found = [
        domain.code_violation(refusal.code, account_class, f"refusals[{index}].code")
        for index, refusal in enumerate(command.refusals)
    ]
    if violations := [violation for violation in found if violation is not None]:
        raise invalid_fields(*violations)
    return tuple(
        Refusal(refusal.code, domain.rule_of(refusal.code, account_class), refusal.description)
        for refusal in command.refusals
    )
