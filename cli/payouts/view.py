"""The text that `liaison payout NAME` prints. Pure."""

from collections.abc import Iterator

from google.type.money_pb2 import Money as MoneyMessage
from liaison.payouts.v1 import payouts_pb2 as pb

from cli.lines import moment, plain
from cli.payouts.next_action import next_action
from servicekit.money import Money


def lines_of(payout: pb.Payout, *, is_halted: bool) -> Iterator[str]:
    """All that is known of the payout; the last line says who must act."""
    held = ", HELD by an operator" if payout.is_held else ""
    yield f"{payout.name}  {_state(payout)}{held}"
    yield f"  amount    {_amount(payout.amount)}{_fee(payout)}"
    yield f"  brand     {payout.brand}"
    yield f"  creator   {payout.creator}"
    yield f"  created   {moment(payout.create_time)}"
    yield f"  updated   {moment(payout.update_time)}"
    for attempt in payout.attempts:
        yield ""
        yield from _attempt_lines(attempt)
    if payout.decisions:
        yield ""
        yield "decisions"
        yield from (_decision(payout, each) for each in payout.decisions)
    yield ""
    yield f"next action: {next_action(payout, is_halted=is_halted)}"


def _attempt_lines(attempt: pb.Attempt) -> Iterator[str]:
    code = f" ({plain(attempt.error_code)})" if attempt.error_code else ""
    yield f"attempt {attempt.number}  {_word(pb.Attempt.State, attempt.state, 'STATE_')}{code}"
    rows = {
        "provider": _word(pb.Provider, attempt.provider, "PROVIDER_"),
        "receiver": attempt.receiver,
        "sender batch id": attempt.sender_batch_id,
        "provider batch": attempt.provider_batch_id,
        "provider item": attempt.provider_item_id,
        "provider state": attempt.provider_state,
        "transaction": attempt.provider_transaction_id,
        "created": moment(attempt.create_time),
        "updated": moment(attempt.update_time),
    }
    for name, value in rows.items():
        if value:
            yield f"  {name:<15}  {plain(value)}"


def _decision(payout: pb.Payout, decision: pb.Decision) -> str:
    about = f" attempt {decision.attempt}" if decision.attempt else ""
    if what := ", ".join(_decision_details(payout, decision)):
        about += f" ({what})"
    kind = _word(pb.Decision.Kind, decision.kind, "KIND_")
    when = moment(decision.create_time)
    return f"  {when}  {kind}{about} by {decision.actor}: {plain(decision.reason)}"


def _decision_details(payout: pb.Payout, decision: pb.Decision) -> Iterator[str]:
    if decision.provider:
        yield _word(pb.Provider, decision.provider, "PROVIDER_")
    if decision.receiver:
        yield f"to {plain(decision.receiver)}"
    if decision.beneficiary:
        kept_by = pb.WriteOffPayoutRequest.Beneficiary
        yield f"to the {_word(kept_by, decision.beneficiary, 'BENEFICIARY_')}"
    if decision.outcome:
        yield _word(pb.ResolveAttemptRequest.Outcome, decision.outcome, "OUTCOME_")
    if decision.outcome == pb.ResolveAttemptRequest.OUTCOME_FOUND:
        (found,) = (each for each in payout.attempts if each.number == decision.attempt)
        yield f"batch {plain(found.provider_batch_id)}"


def _state(payout: pb.Payout) -> str:
    return _word(pb.Payout.State, payout.state, "STATE_")


def _word(enum: object, value: int, prefix: str) -> str:
    name: str = enum.Name(value)  # type: ignore[attr-defined]  # enums of protos share no type
    return name.removeprefix(prefix)


def _amount(message: MoneyMessage) -> str:
    return str(Money.from_message(message))


def _fee(payout: pb.Payout) -> str:
    return f", and a fee of {_amount(payout.fee)}" if payout.HasField("fee") else ""
