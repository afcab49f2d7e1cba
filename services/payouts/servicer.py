"""payouts.v1 over gRPC: messages in and out."""

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
from servicekit.timestamps import to_timestamp
from services.payouts import handlers
from services.payouts.attempts import Attempt
from services.payouts.domain import Decision, Deposit, Payout
from services.payouts.handlers import PayoutHandlers
from services.payouts.operators import bank_transfers
from services.payouts.operators import handlers as decisions
from services.payouts.operators.bank_transfers import BankTransferHandlers
from services.payouts.operators.handlers import DecisionHandlers
from services.payouts.sending import handlers as payments
from services.payouts.sending import sender
from services.payouts.sending.handlers import PaymentHandlers

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

_BENEFICIARY = pb.WriteOffPayoutRequest.Beneficiary
_OUTCOME = pb.ResolveAttemptRequest.Outcome


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
        command = parse(handlers.CreateDeposit, request)
        return to_deposit(await self._payouts.create_deposit(current_principal(), command))

    async def ConfirmDeposit(self, request: pb.ConfirmDepositRequest, context: Any) -> pb.Deposit:
        command = parse(handlers.ConfirmDeposit, request)
        return to_deposit(await self._payouts.confirm_deposit(command))

    async def GetBalance(self, request: pb.GetBalanceRequest, context: Any) -> pb.Balance:
        command = parse(handlers.GetBalance, request)
        available, reserved = await self._payouts.get_balance(current_principal(), command)
        return pb.Balance(
            brand=f"brands/{command.brand}",
            available=available.to_message(),
            reserved=reserved.to_message(),
        )

    async def GetTrialBalance(
        self, request: pb.GetTrialBalanceRequest, context: Any
    ) -> pb.TrialBalance:
        return pb.TrialBalance(
            accounts=[
                pb.AccountBalance(account=account.name, balance=balance.to_message())
                for account, balance in await self._payouts.get_trial_balance()
            ]
        )

    async def GetPayout(self, request: pb.GetPayoutRequest, context: Any) -> pb.Payout:
        command = parse(handlers.GetPayout, request)
        return await self._shown(await self._payouts.get_payout(current_principal(), command))

    async def ListPayouts(
        self, request: pb.ListPayoutsRequest, context: Any
    ) -> pb.ListPayoutsResponse:
        who = current_principal()
        command = parse(handlers.ListPayouts, request)
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
        await self._payouts.reserve_rewards(parse(handlers.ReserveRewards, request))
        return pb.ReserveRewardsResponse()

    async def ReleaseReward(
        self, request: pb.ReleaseRewardRequest, context: Any
    ) -> pb.ReleaseRewardResponse:
        await self._payouts.release_reward(parse(handlers.ReleaseReward, request))
        return pb.ReleaseRewardResponse()

    async def ReduceReward(
        self, request: pb.ReduceRewardRequest, context: Any
    ) -> pb.ReduceRewardResponse:
        await self._payouts.reduce_reward(parse(handlers.ReduceReward, request))
        return pb.ReduceRewardResponse()

    async def SendPayout(self, request: pb.SendPayoutRequest, context: Any) -> pb.Payout:
        return to_payout(await self._payments.send_payout(parse(sender.SendPayout, request)))

    async def RefreshPayout(self, request: pb.RefreshPayoutRequest, context: Any) -> pb.Payout:
        return to_payout(
            await self._payments.refresh_payout(parse(payments.RefreshPayout, request))
        )

    async def RecallPayout(self, request: pb.RecallPayoutRequest, context: Any) -> pb.Payout:
        return to_payout(await self._payments.recall_payout(parse(payments.RecallPayout, request)))

    async def RetryPayout(self, request: pb.RetryPayoutRequest, context: Any) -> pb.Payout:
        command = parse(decisions.RetryPayout, request)
        return await self._shown(await self._decisions.retry_payout(current_principal(), command))

    async def HoldPayout(self, request: pb.HoldPayoutRequest, context: Any) -> pb.Payout:
        command = parse(decisions.HoldPayout, request)
        return await self._shown(await self._decisions.hold_payout(current_principal(), command))

    async def ResumePayout(self, request: pb.ResumePayoutRequest, context: Any) -> pb.Payout:
        command = parse(decisions.ResumePayout, request)
        return await self._shown(await self._decisions.resume_payout(current_principal(), command))

    async def WriteOffPayout(self, request: pb.WriteOffPayoutRequest, context: Any) -> pb.Payout:
        command = parse(decisions.WriteOffPayout, request)
        who = current_principal()
        return await self._shown(await self._decisions.write_off_payout(who, command))

    async def ResolveAttempt(self, request: pb.ResolveAttemptRequest, context: Any) -> pb.Payout:
        command = parse(decisions.ResolveAttempt, request)
        who = current_principal()
        return await self._shown(await self._decisions.resolve_attempt(who, command))

    async def ConfirmBankTransfer(
        self, request: pb.ConfirmBankTransferRequest, context: Any
    ) -> pb.Payout:
        command = parse(bank_transfers.ConfirmBankTransfer, request)
        who = current_principal()
        return await self._shown(await self._transfers.confirm_bank_transfer(who, command))

    async def RejectBankTransfer(
        self, request: pb.RejectBankTransferRequest, context: Any
    ) -> pb.Payout:
        command = parse(bank_transfers.RejectBankTransfer, request)
        who = current_principal()
        return await self._shown(await self._transfers.reject_bank_transfer(who, command))

    async def _shown(self, payout: Payout) -> pb.Payout:
        """As much of it as the caller may see."""
        role, shown = current_principal().role, to_payout(payout)
        decisions = await self._decisions.decisions(payout) if role in STAFF else []
        shown.decisions.extend(map(_to_decision, decisions))
        if role is Role.OPERATOR:
            for message, attempt in zip(shown.attempts, payout.attempts, strict=True):
                message.receiver = attempt.receiver
            for told, decision in zip(shown.decisions, decisions, strict=True):
                told.receiver = decision.receiver or ""
        return shown


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


def to_deposit(deposit: Deposit) -> pb.Deposit:
    return pb.Deposit(
        name=deposit.name,
        state=(
            pb.Deposit.STATE_CONFIRMED if deposit.external_reference else pb.Deposit.STATE_PENDING
        ),
        amount=deposit.amount.to_message(),
        external_reference=deposit.external_reference or "",
        create_time=to_timestamp(deposit.create_time),
        confirm_time=to_timestamp(deposit.confirm_time),
    )


def to_payout(payout: Payout) -> pb.Payout:
    return pb.Payout(
        name=payout.name,
        state=pb.Payout.State.Value(f"STATE_{payout.state}"),
        brand=f"brands/{payout.brand}",
        creator=f"creators/{payout.creator}",
        amount=payout.amount.to_message(),
        fee=payout.fee.to_message() if payout.fee else None,
        attempts=map(_to_attempt, payout.attempts),
        create_time=to_timestamp(payout.create_time),
        update_time=to_timestamp(payout.update_time),
        is_held=payout.is_held,
    )


def _to_decision(decision: Decision) -> pb.Decision:
    return pb.Decision(
        kind=pb.Decision.Kind.Value(f"KIND_{decision.kind}"),
        reason=decision.reason,
        actor=decision.actor,
        attempt=decision.attempt_number or 0,
        create_time=to_timestamp(decision.create_time),
        provider=pb.Provider.Value(f"PROVIDER_{decision.provider or 'UNSPECIFIED'}"),
        beneficiary=_BENEFICIARY.Value(f"BENEFICIARY_{decision.beneficiary or 'UNSPECIFIED'}"),
        outcome=_OUTCOME.Value(f"OUTCOME_{decision.outcome or 'UNSPECIFIED'}"),
    )


def _to_attempt(attempt: Attempt) -> pb.Attempt:
    return pb.Attempt(
        number=attempt.number,
        state=pb.Attempt.State.Value(f"STATE_{attempt.state}"),
        provider_batch_id=attempt.provider_batch_id,
        provider_item_id=attempt.provider_item_id,
        provider_state=attempt.provider_state,
        error_code=attempt.error_code,
        create_time=to_timestamp(attempt.create_time),
        provider=pb.Provider.Value(f"PROVIDER_{attempt.provider}"),
        sender_batch_id=attempt.sender_batch_id,
        provider_transaction_id=attempt.provider_transaction_id,
        update_time=to_timestamp(attempt.update_time),
    )
