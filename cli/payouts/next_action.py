"""The next action on a payout: who must act, and with which command if it is an operator. Pure."""

from google.type.money_pb2 import Money as MoneyMessage
from liaison.payouts.v1 import payouts_pb2 as pb

from cli.lines import plain
from servicekit.money import Money

_State, _Attempt = pb.Payout, pb.Attempt
# Provider states of a payment that the provider took back after the creator had received it.
_RETURNED_AFTER_PAID = ("REFUNDED", "REVERSED")
# States from which an attempt will be sent, now or later.
_TO_BE_SENT = (_State.STATE_RESERVED, _State.STATE_SENDING, _State.STATE_FAILED)
# Error codes about the platform's own account at the provider: repeating the call does not help.
_ACCOUNT_PROBLEMS = {
    "INSUFFICIENT_FUNDS": "add funds",
    "AUTHENTICATION_FAILED": "check the client secret that the service uses",
    "AUTHENTICATION_FAILURE": "check the client secret that the service uses",
    "AUTHORIZATION_ERROR": "check the permissions of the app",
    "SENDER_RESTRICTED": "have the restriction lifted",
}


def next_action(payout: pb.Payout, *, is_halted: bool) -> str:
    """`payout` is as operators see it, with decisions and receivers; `is_halted`: the kill switch
    is engaged."""
    latest = payout.attempts[-1] if payout.attempts else _Attempt()
    if payout.state == _State.STATE_BLOCKED:
        return (
            "operator: find out at the provider what happened to the payment, then run"
            f" `liaison payout resolve {_id(payout)} --attempt {latest.number} --reason …` with"
            " --not-paid or --found BATCH"
        )
    if payout.state == _State.STATE_SENT and latest.provider == pb.PROVIDER_BANK_TRANSFER:
        return (
            f"operator: transfer {_amount(payout.amount)} to {plain(latest.receiver)}, then run"
            f" `liaison payout confirm {_id(payout)} --attempt {latest.number} --reference …`, or"
            " `reject` if the transfer cannot be made"
        )
    if payout.state == _State.STATE_UNCLAIMED:
        return _while_unclaimed(payout, latest)
    if payout.state in _TO_BE_SENT:
        return _before_sending(payout, latest, is_halted=is_halted)
    return _OTHERWISE.get(payout.state, "")


def _while_unclaimed(payout: pb.Payout, latest: pb.Attempt) -> str:
    if payout.is_held:
        return (
            "creator: claim the money. No other attempt is made while the payout is held:"
            f" `liaison payout resume {_id(payout)} --reason …`"
        )
    if _valid_retry(payout, latest):
        return "none: the payment is being recalled and paid again, as an operator decided"
    return (
        f"creator: claim the money. `liaison payout retry {_id(payout)} --reason …` recalls it and"
        " pays again"
    )


def _before_sending(payout: pb.Payout, latest: pb.Attempt, *, is_halted: bool) -> str:
    retry = _valid_retry(payout, latest)
    is_failed = payout.state == _State.STATE_FAILED
    if is_failed and latest.provider_state in _RETURNED_AFTER_PAID and retry is None:
        resumed = f" after `liaison payout resume {_id(payout)}`" if payout.is_held else ""
        return (
            "operator: the money was returned after it had been paid, and is not paid again"
            f" automatically. Decide: `liaison payout retry {_id(payout)} --reason …`{resumed}, or"
            f" `liaison payout write-off {_id(payout)} --reason … --to …`"
        )
    if payout.is_held:
        return f"operator: `liaison payout resume {_id(payout)} --reason …` lets it be sent"
    if is_halted:
        return (
            "operator: all payouts are halted. `liaison payouts status` says why,"
            " `liaison payouts resume --reason …` lifts the halt"
        )
    if is_failed and latest.provider_state == "RETURNED" and not (retry and retry.receiver):
        return (
            "creator: name a PayPal account again (the same one counts); then it is sent"
            f" automatically. `liaison payout retry {_id(payout)} --reason … --receiver …` sends it"
            " to another account"
        )
    if retry:
        return f"none: attempt {retry.attempt} is being made, as an operator decided"
    if remedy := _ACCOUNT_PROBLEMS.get(latest.error_code):
        provider = pb.Provider.Name(latest.provider).removeprefix("PROVIDER_")
        return f"owner of our account at {provider}: {remedy}; then it is sent automatically"
    if payout.state == _State.STATE_SENDING:
        return f"none: attempt {latest.number} is sent again automatically, under the same id"
    if is_failed:
        now = f"`liaison payout retry {_id(payout)} --reason …` retries now"
        return f"none: it is retried automatically; {now}"
    return "none: it is sent automatically once it is due"


def _valid_retry(payout: pb.Payout, latest: pb.Attempt) -> pb.Decision | None:
    """The decision to make the next attempt. A payment that was returned after that decision is not
    paid again because of it."""
    for decision in reversed(payout.decisions):
        if decision.kind == pb.Decision.KIND_RETRY and decision.attempt == latest.number + 1:
            is_late = decision.create_time.ToNanoseconds() < latest.update_time.ToNanoseconds()
            return None if is_late and latest.provider_state in _RETURNED_AFTER_PAID else decision
    return None


_OTHERWISE = {
    _State.STATE_SENT: "provider: it is processing the payment",
    _State.STATE_PAID: "none: the creator has the money",
    _State.STATE_RELEASED: "none: the money went back to the brand",
    _State.STATE_WRITTEN_OFF: "none: it was written off",
}


def _id(payout: pb.Payout) -> str:
    return payout.name.removeprefix("payouts/")


def _amount(message: MoneyMessage) -> str:
    return str(Money.from_message(message))
