"""payouts.v1: messages from domain objects."""

from collections.abc import Sequence

from liaison.payouts.v1 import payouts_pb2 as pb

from servicekit.auth import Role
from servicekit.money import Money
from servicekit.timestamps import to_timestamp
from services.payouts.attempts import Attempt
from services.payouts.domain import Decision, Deposit, Payout
from services.payouts.ledger.postings import Account

_BENEFICIARY = pb.WriteOffPayoutRequest.Beneficiary
_OUTCOME = pb.ResolveAttemptRequest.Outcome


def to_balance(brand: str, available: Money, reserved: Money) -> pb.Balance:
    return pb.Balance(
        brand=f"brands/{brand}",
        available=available.to_message(),
        reserved=reserved.to_message(),
    )


def to_trial_balance(balances: Sequence[tuple[Account, Money]]) -> pb.TrialBalance:
    return pb.TrialBalance(
        accounts=[
            pb.AccountBalance(account=account.name, balance=balance.to_message())
            for account, balance in balances
        ]
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
        attempts=map(to_attempt, payout.attempts),
        create_time=to_timestamp(payout.create_time),
        update_time=to_timestamp(payout.update_time),
        is_held=payout.is_held,
    )


def to_payout_with_decisions(
    payout: Payout, decisions: Sequence[Decision], role: Role
) -> pb.Payout:
    """Adds `decisions` to the payout; receivers are shown to operators only."""
    message = to_payout(payout)
    message.decisions.extend(map(to_decision, decisions))
    if role is Role.OPERATOR:
        for attempt_message, attempt in zip(message.attempts, payout.attempts, strict=True):
            attempt_message.receiver = attempt.receiver
        for decision_message, decision in zip(message.decisions, decisions, strict=True):
            decision_message.receiver = decision.receiver or ""
    return message


def to_decision(decision: Decision) -> pb.Decision:
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


def to_attempt(attempt: Attempt) -> pb.Attempt:
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
