"""What operators read about a payout in the Temporal UI: who must act, until when, and what happens
otherwise. Markdown; no personal data."""

from workflows.formatting import to_the_second
from workflows.payout.model import PayoutTerms, Progress, State
from workflows.payout.rules import recall_time

_HEADLINES = {
    State.RESERVED: "The platform must send the reward",
    State.SENDING: "The platform must send the reward, or find out what became of it",
    State.SENT: "The provider must deliver the money",
    State.UNCLAIMED: "The creator must claim the money, or name another account",
    State.BLOCKED: "An operator must find out what became of the money",
    State.FAILED: "The creator may have to correct its PayPal account",
    State.PAID: "Paid: nobody must act",
    State.RELEASED: "Released to the brand: nobody must act",
    State.WRITTEN_OFF: "Written off: nobody must act",
}
_EXPLANATIONS = {
    State.SENDING: "The call is repeated until it is taken: while an operator holds the payout,"
    " sending is halted or the provider does not answer, its last failure says so.",
    State.BLOCKED: "The money stays reserved, and the provider is still asked. What became of the"
    " attempt is recorded with `ResolveAttempt`.",
}


def describe(terms: PayoutTerms, progress: Progress, *, is_held: bool) -> str:
    state = progress.state
    lines = [f"**{_HEADLINES[state]}**", ""]
    if is_held:
        lines.append("Held by a dispute of the brand.")
    if progress.is_escalated and state is not State.BLOCKED:
        lines.append("It takes too long: an operator must look into it.")
    if state is State.UNCLAIMED:
        recall = to_the_second(recall_time(terms, progress))
        lines.append(f"Until **{recall}**; then it is taken back.")
    if state in _EXPLANATIONS:
        lines.append(_EXPLANATIONS[state])
    lines += [
        "",
        f"- `payouts/{terms.payout_id}` for `creators/{terms.creator_id}`",
        f"- attempt {progress.attempt}, {state} since {to_the_second(progress.since)}",
    ]
    return "\n".join(lines)
