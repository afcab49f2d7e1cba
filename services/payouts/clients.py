"""Client of the creators service: reads a creator's payout account."""

from typing import TYPE_CHECKING

from liaison.creators.v1 import creators_pb2 as pb

from servicekit.timestamps import from_timestamp
from services.payouts.domain import PayoutAccount

if TYPE_CHECKING:  # the async stub exists for type checkers only
    from liaison.creators.v1.creators_pb2_grpc import CreatorServiceAsyncStub


class CreatorAccounts:
    def __init__(self, creators: "CreatorServiceAsyncStub") -> None:
        self._creators = creators

    async def account_of(self, creator: str) -> PayoutAccount:
        answer = await self._creators.GetCreator(pb.GetCreatorRequest(name=f"creators/{creator}"))
        is_named = answer.HasField("paypal_receiver_name_time")
        return PayoutAccount(
            answer.paypal_receiver,
            from_timestamp(answer.paypal_receiver_name_time) if is_named else None,
        )
