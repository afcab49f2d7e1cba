"""payouts.v1.PayoutService over gRPC."""

from typing import Any

from liaison.payouts.v1 import payouts_pb2 as pb
from liaison.payouts.v1.payouts_pb2_grpc import (
    PayoutServiceServicer,
    add_PayoutServiceServicer_to_server,
)

from servicekit.auth import STAFF, Role, current_principal
from servicekit.commands import parse
from servicekit.pagination import Cursor, page_of
from servicekit.rpc.access import Repeat, allow
from servicekit.rpc.server import Service
from services.payouts.domain import Payout
from services.payouts.handlers import (
    ConfirmDeposit,
    CreateDeposit,
    GetBalance,
    GetPayout,
    ListPayouts,
    PayoutHandlers,
    ReduceReward,
    ReleaseReward,
    ReserveRewards,
)
from services.payouts.messages import (
    to_balance,
    to_deposit,
    to_payout,
    to_payout_with_decisions,
    to_trial_balance,
)
from services.payouts.operators.bank_transfers import (
    BankTransferHandlers,
    ConfirmBankTransfer,
    RejectBankTransfer,
)
from services.payouts.operators.handlers import (
    DecisionHandlers,
    HoldPayout,
    ResolveAttempt,
    ResumePayout,
    RetryPayout,
    WriteOffPayout,
)
from services.payouts.sending.handlers import PaymentHandlers, RecallPayout, RefreshPayout
from services.payouts.sending.sender import SendPayout

ACCESS = {
    "CreateDeposit": allow(Role.BRAND),
    "ConfirmDeposit": allow(Role.OPERATOR),
    "GetBalance": allow(Role.BRAND, Role.OPERATOR),
    "GetTrialBalance": allow(Role.OPERATOR),
    "GetPayout": allow(Role.CREATOR, Role.BRAND, Role.MEDIATOR, Role.OPERATOR, Role.SERVICE),
    "ListPayouts": allow(Role.CREATOR, Role.BRAND, Role.OPERATOR),
    "ReserveRewards": allow(Role.SERVICE),
    "ReleaseReward": allow(Role.SERVICE),
    "ReduceReward": allow(Role.SERVICE),
    "SendPayout": allow(Role.SERVICE),
    "RefreshPayout": allow(Role.SERVICE),
    "RecallPayout": allow(Role.SERVICE),
    "RetryPayout": allow(Role.OPERATOR, repeat=Repeat.BY_COMMAND),
    "HoldPayout": allow(Role.OPERATOR),
    "ResumePayout": allow(Role.OPERATOR),
    "WriteOffPayout": allow(Role.OPERATOR, repeat=Repeat.BY_COMMAND),
    "ResolveAttempt": allow(Role.OPERATOR, repeat=Repeat.BY_COMMAND),
    "ConfirmBankTransfer": allow(Role.OPERATOR, repeat=Repeat.BY_COMMAND),
    "RejectBankTransfer": allow(Role.OPERATOR, repeat=Repeat.BY_COMMAND),
}


class PayoutServicer(PayoutServiceServicer):
    def __init__(
        self,
        payouts: PayoutHandlers,
        payments: PaymentHandlers,
        decisions: DecisionHandlers,
        transfers: BankTransferHandlers,
    ) -> None:
        self._payouts = payouts
        self._payments = payments
        self._decisions = decisions
        self._transfers = transfers

    async def CreateDeposit(self, request: pb.CreateDepositRequest, context: Any) -> pb.Deposit:
        command = parse(CreateDeposit, request)
        return to_deposit(await self._payouts.create_deposit(current_principal(), command))

    async def ConfirmDeposit(self, request: pb.ConfirmDepositRequest, context: Any) -> pb.Deposit:
        command = parse(ConfirmDeposit, request)
        return to_deposit(await self._payouts.confirm_deposit(command))

    async def GetBalance(self, request: pb.GetBalanceRequest, context: Any) -> pb.Balance:
        command = parse(GetBalance, request)
        available, reserved = await self._payouts.get_balance(current_principal(), command)
        return to_balance(command.brand, available, reserved)

    async def GetTrialBalance(
        self, request: pb.GetTrialBalanceRequest, context: Any
    ) -> pb.TrialBalance:
        return to_trial_balance(await self._payouts.get_trial_balance())

    async def GetPayout(self, request: pb.GetPayoutRequest, context: Any) -> pb.Payout:
        command = parse(GetPayout, request)
        return await self._reply(await self._payouts.get_payout(current_principal(), command))

    async def ListPayouts(
        self, request: pb.ListPayoutsRequest, context: Any
    ) -> pb.ListPayoutsResponse:
        who = current_principal()
        command = parse(ListPayouts, request)
        page = page_of(request.page_size, request.page_token, who.brand, who.creator, command.state)
        payouts = await self._payouts.list_payouts(who, command, page)
        return pb.ListPayoutsResponse(
            payouts=map(to_payout, payouts),
            next_page_token=page.token_after(
                payouts, lambda payout: Cursor(payout.create_time, payout.id)
            ),
        )

    async def ReserveRewards(
        self, request: pb.ReserveRewardsRequest, context: Any
    ) -> pb.ReserveRewardsResponse:
        await self._payouts.reserve_rewards(parse(ReserveRewards, request))
        return pb.ReserveRewardsResponse()

    async def ReleaseReward(
        self, request: pb.ReleaseRewardRequest, context: Any
    ) -> pb.ReleaseRewardResponse:
        await self._payouts.release_reward(parse(ReleaseReward, request))
        return pb.ReleaseRewardResponse()

    async def ReduceReward(
        self, request: pb.ReduceRewardRequest, context: Any
    ) -> pb.ReduceRewardResponse:
        await self._payouts.reduce_reward(parse(ReduceReward, request))
        return pb.ReduceRewardResponse()

    async def SendPayout(self, request: pb.SendPayoutRequest, context: Any) -> pb.Payout:
        return to_payout(await self._payments.send_payout(parse(SendPayout, request)))

    async def RefreshPayout(self, request: pb.RefreshPayoutRequest, context: Any) -> pb.Payout:
        return to_payout(await self._payments.refresh_payout(parse(RefreshPayout, request)))

    async def RecallPayout(self, request: pb.RecallPayoutRequest, context: Any) -> pb.Payout:
        return to_payout(await self._payments.recall_payout(parse(RecallPayout, request)))

    async def RetryPayout(self, request: pb.RetryPayoutRequest, context: Any) -> pb.Payout:
        command = parse(RetryPayout, request)
        return await self._reply(await self._decisions.retry_payout(current_principal(), command))

    async def HoldPayout(self, request: pb.HoldPayoutRequest, context: Any) -> pb.Payout:
        command = parse(HoldPayout, request)
        return await self._reply(await self._decisions.hold_payout(current_principal(), command))

    async def ResumePayout(self, request: pb.ResumePayoutRequest, context: Any) -> pb.Payout:
        command = parse(ResumePayout, request)
        return await self._reply(await self._decisions.resume_payout(current_principal(), command))

    async def WriteOffPayout(self, request: pb.WriteOffPayoutRequest, context: Any) -> pb.Payout:
        command = parse(WriteOffPayout, request)
        who = current_principal()
        return await self._reply(await self._decisions.write_off_payout(who, command))

    async def ResolveAttempt(self, request: pb.ResolveAttemptRequest, context: Any) -> pb.Payout:
        command = parse(ResolveAttempt, request)
        who = current_principal()
        return await self._reply(await self._decisions.resolve_attempt(who, command))

    async def ConfirmBankTransfer(
        self, request: pb.ConfirmBankTransferRequest, context: Any
    ) -> pb.Payout:
        command = parse(ConfirmBankTransfer, request)
        who = current_principal()
        return await self._reply(await self._transfers.confirm_bank_transfer(who, command))

    async def RejectBankTransfer(
        self, request: pb.RejectBankTransferRequest, context: Any
    ) -> pb.Payout:
        command = parse(RejectBankTransfer, request)
        who = current_principal()
        return await self._reply(await self._transfers.reject_bank_transfer(who, command))

    async def _reply(self, payout: Payout) -> pb.Payout:
        """Only staff see operators' decisions."""
        role = current_principal().role
        decisions = await self._decisions.decisions(payout) if role in STAFF else []
        return to_payout_with_decisions(payout, decisions, role)


def service(
    payouts: PayoutHandlers,
    payments: PaymentHandlers,
    decisions: DecisionHandlers,
    transfers: BankTransferHandlers,
) -> Service:
    return Service(
        pb.DESCRIPTOR.services_by_name["PayoutService"],
        add_PayoutServiceServicer_to_server,
        PayoutServicer(payouts, payments, decisions, transfers),
        ACCESS,
    )
