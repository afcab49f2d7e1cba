"""Whose turn it is with a payout, in words, and by which command if it is an operator's. Pure."""

from google.type.money_pb2 import Money as MoneyMessage
from liaison.payouts.v1 import payouts_pb2 as pb

from cli.lines import plain
from servicekit.money import Money

_State, _Attempt = pb.Payout, pb.Attempt
# The provider took the money back after the creator had had it.
_AFTER_PAID = ("REFUNDED", "REVERSED")
# To be sent, now or later.
_TO_BE_SENT = (_State.STATE_RESERVED, _State.STATE_SENDING, _State.STATE_FAILED)
# What is wrong with our own account at the provider, which no repetition mends.
_OF_OUR_ACCOUNT = {
    "INSUFFICIENT_FUNDS": "must put money into it",
    "AUTHENTICATION_FAILED": "must see that the service has its secret",
    "AUTHENTICATION_FAILURE": "must see that the service has its secret",
    "AUTHORIZATION_ERROR": "must see to its rights",
    "SENDER_RESTRICTED": "must have its restriction lifted",
}


def turn_of(payout: pb.Payout, *, is_halted: bool) -> str:
    """`payout` as an operator sees it, with decisions and receivers."""
    latest = payout.attempts[-1] if payout.attempts else _Attempt()
    if payout.state == _State.STATE_BLOCKED:
        return (
            "find out at the provider what became of it, then"
            f" `liaison payout resolve {_id(payout)} --attempt {latest.number}` with --not-paid or"
            " --found BATCH"
        )
    if payout.state == _State.STATE_SENT and latest.provider == pb.PROVIDER_BANK_TRANSFER:
        return (
            f"transfer {_amount(payout.amount)} to {plain(latest.receiver)}, then"
            f" `liaison payout confirm {_id(payout)} --attempt {latest.number} --reference …`, or"
            " `reject` in its place"
        )
    if payout.state == _State.STATE_UNCLAIMED:
        return _while_unclaimed(payout, latest)
    if payout.state in _TO_BE_SENT:
        return _before_it_is_sent(payout, latest, is_halted=is_halted)
    return _OTHERWISE.get(payout.state, "")


def _while_unclaimed(payout: pb.Payout, latest: pb.Attempt) -> str:
    if payout.is_held:
        return (
            "the creator, who must claim it; an operator keeps another attempt from being made:"
            f" `liaison payout resume {_id(payout)}`"
        )
    if _retry(payout, latest):
        return "nobody: it is taken back and paid anew, as was decided"
    return (
        f"the creator, who must claim it; `liaison payout retry {_id(payout)}` takes it back and"
        " pays anew"
    )


def _before_it_is_sent(payout: pb.Payout, latest: pb.Attempt, *, is_halted: bool) -> str:
    retry = _retry(payout, latest)
    is_failed = payout.state == _State.STATE_FAILED
    if is_failed and latest.provider_state in _AFTER_PAID and retry is None:
        resumed = f" after `liaison payout resume {_id(payout)}`" if payout.is_held else ""
        return (
            "the money came back after it was paid, and is not paid again by itself:"
            f" `liaison payout retry {_id(payout)}`{resumed}, or `liaison payout write-off"
            f" {_id(payout)}`"
        )
    if payout.is_held:
        return f"`liaison payout resume {_id(payout)}` lets it be sent"
    if is_halted:
        return "`liaison sending` says why nothing is sent; `liaison sending resume` lets it go on"
    if is_failed and latest.provider_state == "RETURNED" and not (retry and retry.receiver):
        return (
            "the creator, who must have named an account since, be it the same, before it is tried"
            " again;"
            f" `liaison payout retry {_id(payout)} --receiver …` names another one"
        )
    if retry:
        return f"nobody: attempt {retry.attempt} is made now, as was decided"
    if mending := _OF_OUR_ACCOUNT.get(latest.error_code):
        provider = pb.Provider.Name(latest.provider).removeprefix("PROVIDER_")
        return f"who keeps our account at {provider} {mending}; then it is sent by itself"
    if payout.state == _State.STATE_SENDING:
        return f"nobody: attempt {latest.number} is sent again under the same id, by itself"
    if is_failed:
        again = f"`liaison payout retry {_id(payout)}` does it now"
        return f"nobody: it is tried again by itself; {again}"
    return "nobody: it is sent by itself once it is due"


def _retry(payout: pb.Payout, latest: pb.Attempt) -> pb.Decision | None:
    """The decision that the next attempt be made, if it still holds: what came back later than it
    was decided is not paid again by it."""
    for decision in reversed(payout.decisions):
        if decision.kind == pb.Decision.KIND_RETRY and decision.attempt == latest.number + 1:
            is_late = decision.create_time.ToNanoseconds() < latest.update_time.ToNanoseconds()
            return None if is_late and latest.provider_state in _AFTER_PAID else decision
    return None


_OTHERWISE = {
    _State.STATE_SENT: "the provider, which has it",
    _State.STATE_PAID: "nobody: the creator has the money",
    _State.STATE_RELEASED: "nobody: the money went back to the brand",
    _State.STATE_WRITTEN_OFF: "nobody: it was written off",
}


def _id(payout: pb.Payout) -> str:
    return payout.name.removeprefix("payouts/")


def _amount(message: MoneyMessage) -> str:
    return str(Money.from_message(message))
