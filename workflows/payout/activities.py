"""Activities of the payout workflow: calls of the payouts service, which owns the money. All of
them are idempotent."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from liaison.payouts.v1 import payouts_pb2 as pb
from temporalio import activity

from servicekit.errors import LiaisonError, Reason
from servicekit.money import Money
from workflows.payout.activity_interface import PayoutActivityInterface
from workflows.payout.model import PayoutStatus, PayoutTerms, RecallPayout, SendPayout, State
from workflows.temporal.failures import retrying_all_but

if TYPE_CHECKING:  # what a stub is over an aio channel exists in the type stubs only
    from liaison.payouts.v1.payouts_pb2_grpc import PayoutServiceAsyncStub


@dataclass(frozen=True)
class PayoutActivities(PayoutActivityInterface):
    payouts: "PayoutServiceAsyncStub"

    @activity.defn
    async def get_payout_status(self, payout_id: str) -> PayoutStatus:
        """RESERVED without an amount if there is no reservation yet."""
        with retrying_all_but():
            try:
                payout = await self.payouts.GetPayout(
                    pb.GetPayoutRequest(name=f"payouts/{payout_id}")
                )
            except LiaisonError as error:
                if error.reason is not Reason.NOT_FOUND:
                    raise
                return PayoutStatus(State.RESERVED, 0, None)
        amount = Money.from_message(payout.amount)
        return PayoutStatus(_state(payout), len(payout.attempts), amount.amount_minor)

    @activity.defn
    async def reserve_reward(self, terms: PayoutTerms) -> None:
        """Makes the reservation, or lowers it to what a mediator left."""
        name = f"payouts/{terms.payout_id}"
        amount = Money(terms.currency, terms.amount_minor).to_message()
        with retrying_all_but(Reason.INSUFFICIENT_FUNDS):
            if terms.reserved_minor is None:
                await self.payouts.ReserveRewards(
                    pb.ReserveRewardsRequest(
                        brand=f"brands/{terms.brand_id}",
                        amount=amount,
                        reservations=[
                            pb.RewardReservation(
                                payout=name, creator=f"creators/{terms.creator_id}"
                            )
                        ],
                    )
                )
            elif terms.reserved_minor != terms.amount_minor:
                await self.payouts.ReduceReward(pb.ReduceRewardRequest(name=name, amount=amount))

    @activity.defn
    async def send_payout(self, request: SendPayout) -> State:
        with retrying_all_but(
            Reason.PAYOUT_ACCOUNT_MISSING, Reason.PAYOUT_NOT_CLAIMED, Reason.ILLEGAL_STATE
        ):
            payout = await self.payouts.SendPayout(
                pb.SendPayoutRequest(name=f"payouts/{request.payout_id}", attempt=request.attempt)
            )
        return _state(payout)

    @activity.defn
    async def refresh_payout(self, payout_id: str) -> State:
        with retrying_all_but():
            payout = await self.payouts.RefreshPayout(
                pb.RefreshPayoutRequest(name=f"payouts/{payout_id}")
            )
        return _state(payout)

    @activity.defn
    async def recall_payout(self, request: RecallPayout) -> State:
        """Recalls an unclaimed payment; PAID if it was claimed meanwhile."""
        with retrying_all_but():
            payout = await self.payouts.RecallPayout(
                pb.RecallPayoutRequest(name=f"payouts/{request.payout_id}", attempt=request.attempt)
            )
        return _state(payout)

    @activity.defn
    async def release_reward(self, payout_id: str) -> None:
        with retrying_all_but():
            await self.payouts.ReleaseReward(pb.ReleaseRewardRequest(name=f"payouts/{payout_id}"))


def _state(payout: pb.Payout) -> State:
    return State(pb.Payout.State.Name(payout.state).removeprefix("STATE_"))
