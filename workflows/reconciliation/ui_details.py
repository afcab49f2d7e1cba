"""What operators read about a reconciliation in the Temporal UI: who must act, and what was found.
Markdown. Pure."""

from workflows.reconciliation.model import Reconciled


def describe(done: list[Reconciled], waiting: list[str]) -> str:
    """`waiting` are the providers that could not be compared yet."""
    mismatch_count = sum(each.mismatch_count for each in done)
    if mismatch_count:
        what = "1 does" if mismatch_count == 1 else f"{mismatch_count} do"
        head = f"**An operator must act: {what} not match, and nothing is sent**"
    elif waiting:
        head = f"**The platform compares with {', '.join(waiting)}**"
    else:
        head = "**Everything matches: nobody must act**"
    return "\n\n".join([head, *map(_section, done)])


def _section(done: Reconciled) -> str:
    lines = [
        f"`{done.name}`: {done.provider}, {done.period}",
        f"{done.transaction_count} new lines",
    ]
    return "\n- ".join([*lines, *done.totals, *done.findings])
